/** Decodes keyboard input. Pure except for the timer that delays Enter. */

/** Replaces pasted line breaks: only Enter pressed on its own ends an answer. */
export const pastedBreak = '⏎';

export interface Keys {
  /** Typed text, with pasted line breaks as `pastedBreak`. */
  readonly typed: string;
  /** Number of cursor position reports. */
  readonly reports: number;
}

/* eslint-disable no-control-regex -- control characters are what keys are made of */
const marks = /(\u001b\[\d+;\d+R|\u001b\[20[01]~)/;
const report = /^\u001b\[\d+;\d+R$/;
const unfinished = /\u001b(?:\[[\d;]{0,12})?$/;
const controls = /[\u0000-\u0008\u000b-\u001f\u007f]/g;
/* eslint-enable no-control-regex */
const breaks = /\r\n?|\n/g;

/** Decodes chunks; a sequence may span two of them. */
export function createKeyReader(): (chunk: string) => Keys {
  let rest = '';
  let pasting = false;
  return (chunk) => {
    const text = rest + chunk;
    rest = unfinished.exec(text)?.[0] ?? '';
    let typed = '';
    let reports = 0;
    for (const part of text.slice(0, text.length - rest.length).split(marks)) {
      if (report.test(part)) reports += 1;
      else if (part === '\u001b[200~') pasting = true;
      else if (part === '\u001b[201~') pasting = false;
      else typed += pasting ? part.replace(breaks, pastedBreak).replace(controls, '') : part;
    }
    return { typed, reports };
  };
}

/** Input following Enter this soon was pasted with it. */
const burstMs = 50;

/** Passes on typed text. Enter counts only if nothing follows immediately; otherwise it is a pasted line break. */
export function createEnterGate(pass: (text: string) => void): {
  push(text: string): void;
  close(): void;
} {
  let held = false;
  let timer: NodeJS.Timeout | undefined;
  return {
    push(text) {
      if (text === '') return;
      clearTimeout(timer);
      const all = `${held ? '\r' : ''}${text}`.replace(breaks, '\r');
      held = all.endsWith('\r');
      const before = held ? all.slice(0, -1) : all;
      if (before !== '') pass(before.replaceAll('\r', pastedBreak));
      if (!held) return;
      timer = setTimeout(() => {
        held = false;
        pass('\r');
      }, burstMs);
    },
    close: () => clearTimeout(timer),
  };
}
