import type { HistoryService } from './history-service.ts';

/** The same service with at most `most` requests for history under way; others wait their turn, first come first served. */
export function limitPolls(service: HistoryService, most: number): HistoryService {
  const waiting: (() => void)[] = [];
  let under = 0;
  return {
    async getWorkflowExecutionHistory(request) {
      if (under >= most) await new Promise<void>((resolve) => waiting.push(resolve));
      else under += 1;
      try {
        return await service.getWorkflowExecutionHistory(request);
      } finally {
        // The place is handed on, not given back, so that nobody slips in between.
        const next = waiting.shift();
        if (next === undefined) under -= 1;
        else next();
      }
    },
  };
}

/**
 * Calls with a signal that fires when `signal` does, and is the call's own: Temporal's client never lets go of a call it was
 * given a signal for, nor of the answer, as long as that signal lives.
 */
export async function abortWith<T>(
  signal: AbortSignal,
  call: (own: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const own = new AbortController();
  const abort = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await call(own.signal);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
