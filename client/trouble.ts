/** What keeps an open run from getting on, by Temporal's own account: the run itself cannot say it. Pure. */
import { attributesOf, decodeFailure } from '../audit/mirror/history-json.ts';
import type { HistoryEventJson } from '../audit/mirror/history-json.ts';

export interface Trouble {
  /** `workflow`: no worker can carry its code on. `activity`: what it is at fails and is tried again. */
  readonly what: 'workflow' | 'activity';
  /** Name of the activity, or of the cause as Temporal has it. */
  readonly name: string;
  readonly attempt: number;
  readonly error: string;
}

/** What of a run's description matters here. */
export interface Described {
  readonly pendingWorkflowTask?: { readonly attempt?: number | null } | null;
  readonly pendingActivities?:
    | readonly {
        readonly activityType?: { readonly name?: string | null } | null;
        readonly attempt?: number | null;
        readonly lastFailure?: object | null;
      }[]
    | null;
}

/** Tries that may fail before anybody hears of it: a killed worker costs one. */
const quietAttempts = 2;

const taskFailed = 'EVENT_TYPE_WORKFLOW_TASK_FAILED';
const taskEnds = new Set([taskFailed, 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED']);

/** True when the error of its workflow task is to be looked up in its history. */
export const isTaskFailing = ({ pendingWorkflowTask }: Described): boolean =>
  (pendingWorkflowTask?.attempt ?? 1) > 1;

/** `last` are the events of its history, the newest first. */
export function findTrouble(
  { pendingWorkflowTask, pendingActivities }: Described,
  last: readonly HistoryEventJson[] = [],
): Trouble | undefined {
  const failed = last.find(({ eventType }) => taskEnds.has(eventType));
  const attempt = pendingWorkflowTask?.attempt ?? 1;
  // A task that only timed out, for want of a worker, has no error to show.
  if (attempt > 1 && failed?.eventType === taskFailed) {
    const { cause, failure } = attributesOf(failed);
    const name = String(cause).replace('WORKFLOW_TASK_FAILED_CAUSE_', '');
    return { what: 'workflow', name, attempt, error: decodeFailure(failure ?? {}) };
  }
  const failing = pendingActivities?.find(
    (activity) => (activity.attempt ?? 1) > quietAttempts && activity.lastFailure,
  );
  if (failing?.lastFailure === undefined || failing.lastFailure === null) return undefined;
  return {
    what: 'activity',
    name: failing.activityType?.name ?? '',
    attempt: failing.attempt ?? 1,
    error: decodeFailure(failing.lastFailure),
  };
}
