/** Why an open run makes no progress, according to Temporal: the run itself cannot say. Pure. */
import { attributesOf, decodeFailure } from '../audit/mirror/history-json.ts';
import type { HistoryEventJson } from '../audit/mirror/history-json.ts';

export interface Trouble {
  /** `workflow`: no worker can run its code. `activity`: its current activity keeps failing and is retried. */
  readonly what: 'workflow' | 'activity';
  /** Name of the activity, or of Temporal's cause. */
  readonly name: string;
  readonly attempt: number;
  readonly error: string;
}

/** The relevant part of a run's description. */
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

/** Failed attempts tolerated before reporting: a killed worker costs one. */
const quietAttempts = 2;

const taskFailed = 'EVENT_TYPE_WORKFLOW_TASK_FAILED';
const taskEnds = new Set([taskFailed, 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED']);

/** True if its workflow task's error should be looked up in the history. */
export const isTaskFailing = ({ pendingWorkflowTask }: Described): boolean =>
  (pendingWorkflowTask?.attempt ?? 1) > 1;

/** `last`: the end of its history, newest event first. */
export function findTrouble(
  { pendingWorkflowTask, pendingActivities }: Described,
  last: readonly HistoryEventJson[] = [],
): Trouble | undefined {
  const failed = last.find(({ eventType }) => taskEnds.has(eventType));
  const attempt = pendingWorkflowTask?.attempt ?? 1;
  // A task that merely timed out for lack of a worker has no error.
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
