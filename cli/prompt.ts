import { createInterface } from 'node:readline';

/** What a person typed, or that they would not: Ctrl-C and Ctrl-D. */
export type Typed = { readonly kind: 'line'; readonly text: string } | { readonly kind: 'left' };

/** Asks for one line on the terminal. Resolves to undefined when the signal aborts: someone else was quicker. */
export function askLine(question: string, signal: AbortSignal): Promise<Typed | undefined> {
  return new Promise((resolve) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    let settled = false;
    const settle = (typed: Typed | undefined): void => {
      // Closing the terminal says `close` once more.
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', giveUp);
      terminal.close();
      resolve(typed);
    };
    const giveUp = (): void => {
      process.stderr.write('\n');
      settle(undefined);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    terminal.on('SIGINT', () => settle({ kind: 'left' }));
    terminal.on('close', () => settle({ kind: 'left' }));
    terminal.question(question, (text) => settle({ kind: 'line', text }));
    if (signal.aborted) giveUp();
  });
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
