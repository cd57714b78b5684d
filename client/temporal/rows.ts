/** A run as `agent list` shows it. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { fromWorkflowId } from '../../workflows/names.ts';
import type { Trouble } from '../trouble.ts';

/** From search attributes and memo only. */
export interface RunRow {
  readonly run: string;
  /** A RunStatus, or `running`, `waiting-for-model`, `needs-approval`, `paused`. */
  readonly status: string;
  readonly open: boolean;
  readonly step: string;
  readonly model: string;
  readonly tokens: number;
  readonly toolCalls: number;
  /** RFC 3339. */
  readonly started: string;
  readonly ended?: string;
  readonly goal: string;
  readonly workspace: string;
  /** Why an open run makes no progress. */
  readonly trouble?: Trouble;
  /** Number of its order; absent for runs older than signed orders. */
  readonly order?: string;
}

export const attributes = {
  status: defineSearchAttributeKey('AgentStatus', SearchAttributeType.KEYWORD),
  step: defineSearchAttributeKey('AgentStep', SearchAttributeType.KEYWORD),
  model: defineSearchAttributeKey('AgentModel', SearchAttributeType.KEYWORD),
  tokens: defineSearchAttributeKey('AgentTokens', SearchAttributeType.INT),
  toolCalls: defineSearchAttributeKey('AgentToolCalls', SearchAttributeType.INT),
};

type Listed = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'startTime' | 'closeTime' | 'memo' | 'status' | 'typedSearchAttributes'
>;

export function toRow(info: Listed): RunRow {
  const { typedSearchAttributes: values, status } = info;
  const memo = (name: string): string => {
    const value = info.memo?.[name];
    return typeof value === 'string' ? value : '';
  };
  const open = status.name === 'RUNNING' || status.name === 'PAUSED';
  return {
    run: fromWorkflowId(info.workflowId),
    status: toStatus(status.name, values.get(attributes.status)),
    open,
    step: values.get(attributes.step) ?? '',
    model: values.get(attributes.model) ?? '',
    tokens: values.get(attributes.tokens) ?? 0,
    toolCalls: values.get(attributes.toolCalls) ?? 0,
    started: memo('started') || info.startTime.toISOString(),
    ended: open ? undefined : info.closeTime?.toISOString(),
    goal: memo('goal'),
    workspace: memo('workspace'),
    order: memo('order') || undefined,
  };
}

/** A run terminated from outside (Web UI, server) leaves no result. */
function toStatus(
  server: WorkflowExecutionInfo['status']['name'],
  own: string | undefined,
): string {
  if (server === 'TERMINATED' || server === 'CANCELLED') return 'cancelled';
  if (server === 'FAILED' || server === 'TIMED_OUT') return 'failed';
  return own ?? 'running';
}
