import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline';
import type { Interface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { fitLine, rowsOf } from '../render/width.ts';
import type { Keyboard, Terminal } from './keyboard.ts';
import { createEnterGate } from './keys.ts';

/** What a person typed, or that they declined with Ctrl-C or Ctrl-D. */
export type Typed = { readonly kind: 'line'; readonly text: string } | { readonly kind: 'left' };

export interface Asking<T> {
  /** Undefined if the signal aborts: someone else answered first, or everything is redrawn. */
  readonly typed: Promise<T | undefined>;
  /** Lets `write` print whole lines above the question, then redraws it with what was typed so far. */
  interrupt(write: () => void): void;
}

/** Erases a question whose cursor is `rows` below its first row. A dumb terminal starts a new line instead. */
function wipe({ output, escapes }: Terminal, rows: number): void {
  if (!escapes) {
    output.write('\n');
    return;
  }
  moveCursor(output, 0, -rows);
  cursorTo(output, 0);
  clearScreenDown(output);
}

/** Asks for one line on the terminal. Ignores what was typed before the question was drawn. */
export function askLine(keyboard: Keyboard, question: string, signal: AbortSignal): Asking<Typed> {
  const { terminal } = keyboard;
  const { output, escapes } = terminal;
  const typing = new PassThrough();
  const options = { input: typing, output, prompt: question, historySize: 0, terminal: true };
  // `prevRows` is missing from the types: the rows between the start of the line and the cursor when last drawn.
  const line = createInterface(options) as Interface & { prevRows: number };
  // A narrowed window has wrapped the line, but readline still counts the rows it drew.
  const onResize = (): void => {
    if (escapes) moveCursor(output, 0, line.prevRows - line.getCursorPos().rows);
  };
  output.prependListener('resize', onResize);
  const gate = createEnterGate((text) => typing.write(text));
  let settled = false;
  let unlisten: (() => void) | undefined;
  const typed = new Promise<Typed | undefined>((resolve) => {
    const settle = (answer: Typed | undefined): void => {
      // Closing the line emits `close` again.
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', giveUp);
      output.off('resize', onResize);
      unlisten?.();
      gate.close();
      // Whatever comes next starts on its own line.
      if (answer?.kind === 'left') output.write('\n');
      line.close();
      resolve(answer);
    };
    const giveUp = (): void => {
      output.write('\n');
      settle(undefined);
    };
    const open = async (): Promise<void> => {
      line.prompt();
      await keyboard.written();
      if (!settled) unlisten = keyboard.listen((text) => gate.push(text));
    };
    signal.addEventListener('abort', giveUp, { once: true });
    line.on('close', () => settle({ kind: 'left' }));
    line.on('line', (text) => settle({ kind: 'line', text }));
    void keyboard.left.then(() => settle({ kind: 'left' }));
    if (signal.aborted) giveUp();
    else void open();
  });
  return {
    typed,
    interrupt(write) {
      if (!settled) wipe(terminal, line.getCursorPos().rows);
      write();
      if (settled) return;
      line.prevRows = 0;
      line.prompt(true);
      if (!escapes) output.write(line.line);
    },
  };
}

/** Waits for one of `keys`, ignoring all others. Erases `question` afterwards. */
export function askKey(
  keyboard: Keyboard,
  question: string,
  keys: string,
  signal: AbortSignal,
): Asking<string> {
  const { terminal } = keyboard;
  const { output } = terminal;
  let settled = false;
  let shown = '';
  const show = (): void => {
    shown = fitLine(question, (output.columns ?? 80) - 1);
    output.write(shown);
  };
  const remove = (): void => wipe(terminal, rowsOf(shown, output.columns ?? 80) - 1);
  const typed = new Promise<string | undefined>((resolve) => {
    let unlisten: (() => void) | undefined;
    const settle = (key: string | undefined): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', giveUp);
      unlisten?.();
      remove();
      resolve(key);
    };
    const giveUp = (): void => settle(undefined);
    const open = async (): Promise<void> => {
      show();
      await keyboard.written();
      if (settled) return;
      unlisten = keyboard.listen((text) => {
        // One key at a time: the rest of a burst was typed before its effect was visible.
        const key = text.split('').find((each) => keys.includes(each));
        if (key !== undefined) settle(key);
      });
    };
    signal.addEventListener('abort', giveUp, { once: true });
    void keyboard.left.then(giveUp);
    if (signal.aborted) giveUp();
    else void open();
  });
  return {
    typed,
    interrupt(write) {
      if (!settled) remove();
      write();
      if (!settled) show();
    },
  };
}

/** The answer to an approval; `always` and `edit` approve with a rule or other arguments. */
export interface ApprovalReply {
  readonly answer: 'approve' | 'deny' | 'always' | 'edit';
  readonly reason?: string;
}

const replies: readonly [RegExp, ApprovalReply['answer']][] = [
  [/^(y|yes)[,:]?$/i, 'approve'],
  [/^(n|no)[,:]?$/i, 'deny'],
  [/^(a|always)[,:]?$/i, 'always'],
  [/^(e|edit)[,:]?$/i, 'edit'],
];

/** `y`, `n`, `a` or `e`, optionally followed by a reason; undefined for anything else. */
export function parseReply(text: string): ApprovalReply | undefined {
  const [, word = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(text) ?? [];
  const answer = replies.find(([fits]) => fits.test(word))?.[1];
  if (answer === undefined) return undefined;
  return rest === '' ? { answer } : { answer, reason: rest };
}
