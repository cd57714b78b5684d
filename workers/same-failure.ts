import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** Identical failures before an activity counts as unable. */
const maxAlike = 3;
/** Failures of any kind, except temporary ones. */
const maxOther = 10;
/** Activities remembered; the oldest are forgotten first. */
const maxRemembered = 1_000;

interface Failures {
  readonly alike: Map<string, number>;
  other: number;
}

/**
 * Ends an activity that fails the same way three times: a fourth attempt would fail too, unnoticed. Temporary
 * conditions (a full disk, a lease that moved on, a busy model server) keep being retried. Remembered only in this
 * process: another one starts counting anew, which costs two attempts and never ends a run too early.
 */
export function endSameFailures(): ActivityInterceptorsFactory {
  const known = new Map<string, Failures>();
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const { workflowExecution, activityId, activityType } = info;
        const key = `${workflowExecution?.workflowId ?? ''}/${workflowExecution?.runId ?? ''}/${activityId}`;
        try {
          const result = await next(input);
          known.delete(key);
          return result;
        } catch (error) {
          if (!isCounted(error)) throw error;
          const failures = known.get(key) ?? { alike: new Map(), other: 0 };
          known.delete(key);
          const kind = toKind(error);
          const alike = (failures.alike.get(kind) ?? 0) + 1;
          failures.alike.set(kind, alike);
          failures.other += 1;
          if (alike >= maxAlike || failures.other >= maxOther)
            throw toEnd(activityType, error, alike >= maxAlike ? alike : failures.other);
          known.set(key, failures);
          const oldest = known.keys().next().value;
          if (known.size > maxRemembered && oldest !== undefined) known.delete(oldest);
          throw error;
        }
      },
    },
  });
}

const toEnd = (activity: string, error: unknown, times: number): ApplicationFailure =>
  ApplicationFailure.create({
    type: 'FailsTheSameWay',
    nonRetryable: true,
    message: `${toMessage(error)} (${activity} failed ${times} times and is not retried. Fix the cause, then continue from a step: agent fork)`,
    // No cause: anyone reading only the innermost message must learn that it is over.
  });

const toMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Temporary conditions of the machine or another process. */
const healing = new Set([
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
  'EBUSY',
  'EINTR',
  'ETXTBSY',
  'ESTALE',
  'EIO',
  'EROFS',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
]);
const healingText =
  /\bENOSPC\b|No space left on device|\bEDQUOT\b|Disk quota exceeded|Cannot allocate memory|Too many open files|Resource temporarily unavailable/i;
const healingNames = new Set(['LeaseLost', 'WorkspaceBusy', 'ChainLockedError', 'AbortError']);

const maxCauses = 10;

/** Excludes temporary failures, those with their own rules (model servers, never retried), and the end of the run. */
function isCounted(error: unknown): boolean {
  if (error instanceof ApplicationFailure)
    return !(error.nonRetryable || error.type?.startsWith('ModelFailure.'));
  if (error instanceof CancelledFailure) return false;
  let each = error;
  for (let depth = 0; each instanceof Error && depth < maxCauses; depth++) {
    const { code } = each as NodeJS.ErrnoException;
    if (healingNames.has(each.name) || each.name === 'CancelledFailure') return false;
    if ((code !== undefined && healing.has(code)) || healingText.test(each.message)) return false;
    each = each.cause;
  }
  return true;
}

/** Strips what differs between attempts: numbers, hashes, names of temporary files. */
const toKind = (error: unknown): string => {
  const { name = '', code = '' } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { name: typeof error };
  const message = toMessage(error)
    .slice(0, 2_000)
    .replaceAll(/[0-9a-f]{8,}(?:-[0-9a-f]{4,})*/gi, '#')
    .replaceAll(/\d+/g, '0')
    .replaceAll(/(?:tmp|temp)[\w.-]*/gi, 'tmp')
    .slice(0, 500);
  return `${name} ${code} ${message}`;
};
