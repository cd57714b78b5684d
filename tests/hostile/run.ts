import { Worker } from 'node:worker_threads';

/** What is done to a text; `work.ts` knows how. */
export type Task =
  | 'redact'
  | 'stream'
  | 'inject'
  | 'command'
  | 'quoted'
  | 'words'
  | 'word'
  | 'clean'
  | 'frame'
  | 'answer'
  | 'diff'
  | 'glob'
  | 'placeholders'
  | 'yaml';

/** A piece again and again, up to a length. */
export interface HostileText {
  readonly task: Task;
  readonly piece: string;
  readonly length: number;
}

/** What is linear is through a text within seconds; what is quadratic would need hours for ten megabytes. */
const patienceMs = 100_000;

/** Does all of it in a thread. Returns the first that did not come to its end, or threw, as a sentence. */
export async function findSlow(texts: readonly HostileText[]): Promise<string | undefined> {
  let done = 0;
  const name = (): string => {
    const { task, piece, length } = texts[done] ?? { task: '', piece: '', length: 0 };
    return `${task} of ${JSON.stringify(piece.slice(0, 60))} × ${Math.floor(length / piece.length)}`;
  };
  const worker = new Worker(new URL('work.ts', import.meta.url), { workerData: texts });
  return await new Promise((resolve) => {
    const give = (problem: string | undefined): void => {
      clearTimeout(timer);
      void worker.terminate();
      resolve(problem);
    };
    const late = (): void => give(`${name()} does not come to an end`);
    let timer = setTimeout(late, patienceMs);
    worker.on('message', () => {
      done += 1;
      clearTimeout(timer);
      timer = setTimeout(late, patienceMs);
      if (done === texts.length) give(undefined);
    });
    worker.on('error', (error) => give(`${name()} threw ${String(error)}`));
  });
}
