/** A question and its subject, shown in full, page by page, before an answer counts. */
import type { Keyboard } from './keyboard.ts';
import { askKey, askLine } from './prompt.ts';
import type { Asking, Typed } from './prompt.ts';

export interface Question {
  /** The subject: lines no wider than the terminal. */
  readonly body: readonly string[];
  readonly text: string;
  /** A key for answering before the end; an empty answer shows the rest. Absent: everything must be seen. */
  readonly early?: { readonly key: string; readonly hint: string; readonly text: string };
}

/** The answer, and whether the whole question had been on screen. */
export type Answer = { readonly whole: boolean; readonly typed: Typed };

const fewestRows = 5;

/**
 * Asks after showing everything. Earlier typing never counts as an answer, and after a Ctrl-Z the question is shown
 * again from the start.
 */
export function ask(keyboard: Keyboard, question: Question, signal: AbortSignal): Asking<Answer> {
  let current: Asking<unknown> | undefined;

  const once = async (part: AbortSignal): Promise<Answer | undefined> => {
    await keyboard.settle(part);
    const whole = await showPages(part);
    if (whole !== undefined) return whole;
    await keyboard.settle(part);
    const typed = await line(question.text, part);
    return typed && { whole: true, typed };
  };

  const line = async (text: string, part: AbortSignal): Promise<Typed | undefined> => {
    const asking = askLine(keyboard, text, part);
    current = asking;
    const typed = await asking.typed;
    current = undefined;
    return typed;
  };

  /** Undefined once the end was shown. */
  const showPages = async (part: AbortSignal): Promise<Answer | undefined> => {
    const { output } = keyboard.terminal;
    const { body, early } = question;
    for (let from = 0; from < body.length && !part.aborted;) {
      // One row for the line below the page, one for the prompt.
      const size = Math.max(fewestRows, (output.rows ?? 24) - 2);
      const page = body.slice(from, from + size);
      from += page.length;
      output.write(page.map((each) => `${each}\n`).join(''));
      if (from >= body.length) break;
      const answer = await turnPage(from, part);
      if (answer !== undefined) return answer;
    }
    return part.aborted ? { whole: false, typed: { kind: 'left' } } : undefined;

    async function turnPage(shown: number, until: AbortSignal): Promise<Answer | undefined> {
      const hint = early === undefined ? '' : `, ${early.hint}`;
      const text = `-- ${shown} of ${body.length} lines: Space shows more${hint}`;
      const asking = askKey(keyboard, text, ` \r\n${early?.key ?? ''}`, until);
      current = asking;
      const key = await asking.typed;
      current = undefined;
      if (key === undefined) return { whole: false, typed: { kind: 'left' } };
      if (early === undefined || key !== early.key) return undefined;
      await keyboard.settle(until);
      const typed = await line(early.text, until);
      if (typed?.kind === 'line' && typed.text.trim() === '') return undefined;
      return { whole: false, typed: typed ?? { kind: 'left' } };
    }
  };

  const typed = (async (): Promise<Answer | undefined> => {
    while (!signal.aborted) {
      const again = new AbortController();
      const unsubscribe = keyboard.onReturn(() => again.abort());
      try {
        const answer = await once(AbortSignal.any([signal, again.signal]));
        if (signal.aborted) return undefined;
        if (!again.signal.aborted) return answer;
      } finally {
        unsubscribe();
      }
    }
    return undefined;
  })();

  return {
    typed,
    interrupt(write) {
      if (current === undefined) write();
      else current.interrupt(write);
    },
  };
}
