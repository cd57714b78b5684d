import { clearLine, createInterface, cursorTo } from 'node:readline';
import type { ReadLineOptions } from 'node:readline';

/** What a person typed, or that they would not: Ctrl-C and Ctrl-D. */
export type Typed = { readonly kind: 'line'; readonly text: string } | { readonly kind: 'left' };

export interface Asking {
  /** Undefined when the signal aborts: someone else was quicker. */
  readonly typed: Promise<Typed | undefined>;
  /** Lets `write` print whole lines above the question, which is shown again with what was typed so far. */
  interrupt(write: () => void): void;
}

const ofProcess = { input: process.stdin, output: process.stderr };

/** Asks for one line on the terminal. */
export function askLine(
  question: string,
  signal: AbortSignal,
  {
    input,
    output,
  }: Pick<ReadLineOptions, 'input'> & { readonly output: NodeJS.WritableStream } = ofProcess,
): Asking {
  const terminal = createInterface({
    ...{ input, output, prompt: question },
  });
  let settled = false;
  const typed = new Promise<Typed | undefined>((resolve) => {
    const settle = (answer: Typed | undefined): void => {
      // Closing the terminal says `close` once more.
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', giveUp);
      terminal.close();
      resolve(answer);
    };
    const giveUp = (): void => {
      output.write('\n');
      settle(undefined);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    terminal.on('SIGINT', () => settle({ kind: 'left' }));
    terminal.on('close', () => settle({ kind: 'left' }));
    terminal.on('line', (text) => settle({ kind: 'line', text }));
    terminal.prompt();
    if (signal.aborted) giveUp();
  });
  return {
    typed,
    interrupt(write) {
      if (!settled) {
        cursorTo(output, 0);
        clearLine(output, 0);
      }
      write();
      if (!settled) terminal.prompt(true);
    },
  };
}

export type ApprovalReply = { readonly answer: 'approve' | 'deny'; readonly reason?: string };

/** `y`, `n`, or either with a reason after it; undefined for anything else. */
export function parseReply(text: string): ApprovalReply | undefined {
  const [, word = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(text) ?? [];
  const answer = /^(y|yes)[,:]?$/i.test(word)
    ? 'approve'
    : /^(n|no)[,:]?$/i.test(word)
      ? 'deny'
      : undefined;
  if (answer === undefined) return undefined;
  return rest === '' ? { answer } : { answer, reason: rest };
}
