import type { HistoryService } from './mirror.ts';

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
