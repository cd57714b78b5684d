import type { HistoryService } from './history-service.ts';

/** Limits the service to `most` concurrent history requests; others queue, first come first served. */
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
        // Pass the slot on instead of freeing it, so that nobody can jump the queue.
        const next = waiting.shift();
        if (next === undefined) under -= 1;
        else next();
      }
    },
  };
}

/**
 * Calls with a private signal that follows `signal`: Temporal's client retains each call and its answer for as long as
 * the signal it was given lives.
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
