/** Reads a run's history as facts, with decoded payloads. All folds of a run build on these. */
import type { ModelActivities } from '../../activities/contract/model.ts';
import type { WorkspaceActivities } from '../../activities/contract/workspace.ts';
import type { MessageActivities } from '../../activities/contract/messages.ts';
import type { RunInput, RunResult, RunStatus } from '../../workflows/contract.ts';
import type { RunState } from '../../workflows/state.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { attributesOf, decodeFailure, decodePayloads } from '../mirror/history-json.ts';

type Activities = ModelActivities & WorkspaceActivities & MessageActivities;
type Name = keyof Activities;
type RequestOf<N extends Name> = Parameters<Activities[N]>[0];
type ResultOf<N extends Name> = Awaited<ReturnType<Activities[N]>>;

type Asked = { [N in Name]: { readonly name: N; readonly request: RequestOf<N> } }[Name];

/** A scheduled activity. */
export type Scheduled = Asked & { readonly kind: 'scheduled' };

/** A completed activity, with its request. */
export type Completed = {
  [N in Name]: {
    readonly kind: 'completed';
    readonly name: N;
    readonly request: RequestOf<N>;
    readonly result: ResultOf<N>;
  };
}[Name];

export type Fact =
  | { readonly kind: 'started'; readonly input?: RunInput; readonly carried?: RunState }
  | Scheduled
  | Completed
  /** An activity that did not complete. `failure` is its innermost message, or empty. */
  | (Asked & { readonly kind: 'failed'; readonly failure: string })
  | { readonly kind: 'signal'; readonly name: string; readonly args: readonly unknown[] }
  | { readonly kind: 'update'; readonly name: string; readonly args: readonly unknown[] }
  | {
      readonly kind: 'ended';
      /** The workflow's result; absent if it ended otherwise. */
      readonly result?: RunResult;
      readonly status: Extract<RunStatus, 'done' | 'failed' | 'cancelled'>;
      readonly why: string;
    };

/** Reads events in order. Undefined for what is not a fact of the run or cannot be decoded. */
export function createFactReader(): (event: HistoryEventJson) => Fact | undefined {
  const scheduled = new Map<string, Asked>();
  return (event) => {
    const attributes = attributesOf(event);
    switch (event.eventType) {
      case 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED': {
        scheduled.clear();
        const [input, carried] = decodePayloads(attributes['input']) as [RunInput?, RunState?];
        return { kind: 'started', input, carried };
      }
      case 'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED': {
        const { name } = (attributes['activityType'] ?? {}) as { name?: Name };
        const [request] = decodePayloads(attributes['input']);
        if (name === undefined || request === undefined) return undefined;
        const asked = { name, request } as Asked;
        scheduled.set(event.eventId, asked);
        return { kind: 'scheduled', ...asked };
      }
      case 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED': {
        const asked = scheduled.get(String(attributes['scheduledEventId']));
        const [result] = decodePayloads(attributes['result']);
        return asked === undefined || result === undefined
          ? undefined
          : ({ kind: 'completed', ...asked, result } as Completed);
      }
      case 'EVENT_TYPE_ACTIVITY_TASK_FAILED':
      case 'EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT':
      case 'EVENT_TYPE_ACTIVITY_TASK_CANCELED': {
        const asked = scheduled.get(String(attributes['scheduledEventId']));
        const failure = decodeFailure(attributes['failure'] ?? {});
        return asked === undefined ? undefined : { kind: 'failed', ...asked, failure };
      }
      case 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED':
        return {
          kind: 'signal',
          name: String(attributes['signalName']),
          args: decodePayloads(attributes['input']),
        };
      case 'EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED': {
        const { input } = (attributes['acceptedRequest'] ?? {}) as {
          input?: { name?: string; args?: unknown };
        };
        return { kind: 'update', name: input?.name ?? '', args: decodePayloads(input?.args) };
      }
      default:
        return readEnd(event.eventType, attributes);
    }
  };
}

function readEnd(
  type: string,
  attributes: Readonly<Record<string, unknown>>,
): Extract<Fact, { kind: 'ended' }> | undefined {
  switch (type) {
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED': {
      const [result] = decodePayloads(attributes['result']) as [RunResult?];
      return { kind: 'ended', result, status: 'done', why: 'The run ended.' };
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_FAILED':
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT': {
      const why = decodeFailure(attributes['failure'] ?? {}) || 'The workflow failed.';
      return { kind: 'ended', status: 'failed', why };
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED':
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED': {
      const { reason } = attributes;
      const why = typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
      return { kind: 'ended', status: 'cancelled', why: `Ended from outside: ${why}.` };
    }
    default:
      return undefined;
  }
}
