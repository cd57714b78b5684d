/**
 * The terminal's keyboard while a view or question is open. Reads in raw mode all the time and discards what is typed
 * while nobody listens, so that nothing is buffered for the next question.
 */
import { readFileSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { createKeyReader } from './keys.ts';

/** A terminal, or streams replacing one. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & {
    readonly isTTY?: boolean;
    setRawMode?(on: boolean): unknown;
  };
  readonly output: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
  /** Whether it understands escape sequences. */
  readonly escapes: boolean;
}

export interface Keyboard {
  readonly terminal: Terminal;
  /** Resolves when the person presses Ctrl-C, or the terminal is gone. */
  readonly left: Promise<void>;
  /** Resolves once all output is drawn and the person has stopped typing; discards what was typed until then. */
  settle(signal: AbortSignal): Promise<void>;
  /** Resolves once everything is written; reads nothing meanwhile. */
  written(): Promise<void>;
  /** Sends all input to one listener until the returned function is called. */
  listen(listener: (text: string) => void): () => void;
  /** Calls back before we leave the terminal (Ctrl-Z), until the returned function is called. */
  onLeave(listener: () => void): () => void;
  /** Calls back when we return to it (`fg`), until the returned function is called. */
  onReturn(listener: () => void): () => void;
  /** Lends the terminal to a program, such as an editor. */
  lend<T>(use: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A pause in typing that ends a burst. */
const quietMs = 250;
/** How long a terminal may take to confirm that it has drawn everything; some never do. */
const reportMs = 300;
const lookAgainMs = 500;

const interrupt = '\u0003';
const suspend = '\u001a';
const bracketPastes = '\u001b[?2004h';
const plainPastes = '\u001b[?2004l';
const askCursor = '\u001b[6n';

export const ofProcess = (): Terminal => ({
  input: process.stdin,
  output: process.stderr,
  escapes: process.env['TERM'] !== 'dumb',
});

/** Whether we may read the terminal: reading it from the background stops the process. */
export function isForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    return true; // Not Linux: a shell there has stopped us, or has not.
  }
}

export function createKeyboard(terminal: Terminal = ofProcess()): Keyboard {
  const { input, output, escapes } = terminal;
  const leaving = Promise.withResolvers<void>();
  const decoder = new StringDecoder('utf8');
  const leaves = new Set<() => void>();
  const returns = new Set<() => void>();
  let read = createKeyReader();
  let listener: ((text: string) => void) | undefined;
  let heard = false;
  let reports = 0;
  let onReport: (() => void) | undefined;
  let looking: NodeJS.Timeout | undefined;
  let state: 'ours' | 'away' | 'lent' | 'closed' = 'away';

  const onData = (chunk: Buffer | string): void => {
    if (state !== 'ours') return;
    const keys = read(typeof chunk === 'string' ? chunk : decoder.write(chunk));
    reports += keys.reports;
    if (keys.reports > 0) onReport?.();
    if (keys.typed === '') return;
    heard = true;
    if (keys.typed.includes(interrupt)) return leaving.resolve();
    if (keys.typed.includes(suspend)) return stop();
    listener?.(keys.typed);
  };
  const onEnd = (): void => leaving.resolve();

  const take = (): void => {
    if (state === 'closed' || state === 'lent') return;
    clearTimeout(looking);
    if (input.isTTY === true && !isForeground()) {
      state = 'away';
      input.pause();
      looking = setTimeout(comeBack, lookAgainMs).unref();
      return;
    }
    state = 'ours';
    read = createKeyReader();
    // Both calls: Node skips setting a mode it believes is set.
    input.setRawMode?.(false);
    input.setRawMode?.(true);
    if (escapes) output.write(bracketPastes);
    input.resume();
  };
  const give = (to: 'away' | 'lent' | 'closed'): void => {
    if (state === 'ours') {
      if (escapes) output.write(plainPastes);
      input.setRawMode?.(false);
    }
    state = to;
    input.pause();
  };
  const comeBack = (): void => {
    process.off('SIGTSTP', stop).on('SIGTSTP', stop);
    take();
    if (state === 'ours') for (const each of returns) each();
  };
  const stop = (): void => {
    // From here on the signal stops us, as it does every program.
    process.off('SIGTSTP', stop);
    const isLent = state === 'lent';
    if (!isLent) {
      for (const each of leaves) each();
      give('away');
    }
    // The whole group, as the terminal does: whatever started us must stop too.
    process.kill(isLent ? process.pid : 0, 'SIGTSTP');
    // A shell without job control stops nothing.
    looking = setTimeout(comeBack, lookAgainMs).unref();
  };
  const onExit = (): void => {
    if (state === 'ours' && escapes) output.write(plainPastes);
  };

  const write = (text: string): Promise<void> =>
    new Promise((resolve) => output.write(text, () => resolve()));

  /** Discards everything that has reached this machine. */
  const drawn = async (): Promise<void> => {
    await write('');
    await setImmediate();
    await setImmediate();
  };

  /** The reply follows everything typed before the terminal had drawn the screen, however far away it is. */
  const isDrawnThere = async (signal: AbortSignal): Promise<void> => {
    if (!escapes || signal.aborted) return;
    const answered = Promise.withResolvers<void>();
    const wanted = reports + 1;
    onReport = () => {
      if (reports >= wanted) answered.resolve();
    };
    await write(askCursor);
    await Promise.race([answered.promise, sleep(reportMs)]);
    onReport = undefined;
  };

  input.on('data', onData).on('end', onEnd).on('error', onEnd);
  process.on('SIGCONT', comeBack).on('SIGTSTP', stop).on('exit', onExit);
  take();

  return {
    terminal,
    left: leaving.promise,
    written: () => write(''),
    async settle(signal) {
      await drawn();
      await isDrawnThere(signal);
      do {
        heard = false;
        await sleep(quietMs, undefined, { signal }).catch(() => undefined);
        await drawn();
      } while (heard && !signal.aborted);
    },
    listen(next) {
      listener = next;
      return () => {
        if (listener === next) listener = undefined;
      };
    },
    onLeave(next) {
      leaves.add(next);
      return () => void leaves.delete(next);
    },
    onReturn(next) {
      returns.add(next);
      return () => void returns.delete(next);
    },
    async lend(use) {
      give('lent');
      try {
        return await use();
      } finally {
        if (state === 'lent') {
          state = 'away';
          take();
        }
      }
    },
    async close() {
      if (state === 'closed') return;
      input.off('data', onData).off('end', onEnd).off('error', onEnd);
      process.off('SIGCONT', comeBack).off('SIGTSTP', stop).off('exit', onExit);
      clearTimeout(looking);
      // A late reply would be typed into the shell.
      if (onReport !== undefined) await sleep(reportMs);
      give('closed');
    },
  };
}
