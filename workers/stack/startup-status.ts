import type { StackStart } from '../../config/stack.ts';

/** Reports the progress of the start to everyone waiting for it. */
export interface StartupStatus {
  say(line: string): void;
  set(state: StackStart['state'], problem?: StackStart['problem']): void;
  /** Answers at once if there is news after `seen` lines or nothing to wait for, else with the next news. */
  waitForNews(seen: number): Promise<StackStart>;
}

/** `patienceMs` bounds a wait, so that a caller's connection is never idle for long. */
export function createStartupStatus(patienceMs = 20_000): StartupStatus {
  const lines: string[] = [];
  let state: StackStart['state'] = 'starting';
  let problem: StackStart['problem'];
  const waiting = new Set<() => void>();

  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  return {
    say(line) {
      lines.push(line);
      wake();
    },
    set(next, why) {
      state = next;
      problem = why;
      wake();
    },
    async waitForNews(seen) {
      if (state === 'starting' && lines.length <= seen) {
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
          setTimeout(resolve, patienceMs).unref();
        });
      }
      const progress = lines.slice(seen);
      return problem === undefined ? { state, progress } : { state, progress, problem };
    },
  };
}
