import type { Redactor, Secret } from './redaction.ts';
import { replaceAll } from './redaction.ts';

/** Redacts text that arrives in pieces, including secrets cut by a boundary between them. */
export interface RedactionStream {
  /** Returns the part of the text that is certain and holds back the rest. */
  write(piece: string): string;
  /** The text held back. */
  end(): string;
  /** Secrets redacted so far. */
  readonly count: number;
}

/** Upper bound on held-back text: longer than any secret except the largest keys, which are masked line by line. */
const maxHeld = 32_768;
/** Held back when no good cut is found. */
const leastHeld = 8_192;
/** Characters already returned that are looked at again, for the name before a value and the start of a word. */
const context = 256;

const keyBegin = '-----BEGIN';
const keyHeader = /^-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/;
const maxHeader = 90;
const keyEnd = '-----END';

export function createRedactionStream(redactor: Redactor): RedactionStream {
  let text = '';
  /** Returned up to here. */
  let given = 0;
  let count = 0;
  const give = (cut: number): string => {
    const secrets = redactor.find(text);
    const at = Math.max(given, cut === text.length ? cut : beforeSecret(secrets, cut));
    const inside = secrets
      .filter(({ end }) => end > given && end <= at)
      .map(({ start, end, kind }) => ({
        start: Math.max(0, start - given),
        end: end - given,
        kind,
      }));
    const certain = text.slice(given, at);
    const from = Math.max(0, at - context);
    text = text.slice(from);
    given = at - from;
    if (inside.length === 0) return certain;
    // As for a whole text: the remains of two adjacent secrets may only now look like one.
    const rest = redactor.redact(replaceAll(certain, inside));
    count += inside.length + rest.count;
    return rest.text;
  };
  /** A secret across the cut may turn out longer. */
  const beforeSecret = (secrets: readonly Secret[], wanted: number): number => {
    let cut = wanted;
    for (const { start, end } of secrets.toReversed()) {
      if (start >= cut || end < cut) continue;
      const space = lastSpace(text, given, start - 1) + 1;
      if (space <= given && text.length - given >= maxHeld) return end;
      cut = space;
    }
    return cut;
  };
  return {
    write(piece) {
      text += piece;
      const cut = findCut(text, given, redactor.maxSpaced);
      return cut <= given ? '' : give(cut);
    },
    end() {
      const rest = give(text.length);
      text = '';
      given = 0;
      return rest;
    },
    get count() {
      return count;
    },
  };
}

/** Where to cut the text without splitting a secret: after white space, and not within a key. */
function findCut(text: string, given: number, maxSpaced: number): number {
  const space = lastSpace(text, given, text.length - Math.max(1, maxSpaced)) + 1;
  const key = beforeOpenKey(text, space);
  const cut = key === space ? space : lastSpace(text, given, key - 1) + 1;
  // Endless text, such as a one-line file: cut where a secret would have to be longer than any is.
  return text.length - Math.max(cut, given) > maxHeld + maxSpaced
    ? text.length - leastHeld - maxSpaced
    : cut;
}

const lastSpace = (text: string, first: number, last: number): number => {
  for (let at = last; at >= first; at--) {
    const code = text.charCodeAt(at);
    if (code === 32 || code === 10 || code === 9 || code === 13) return at;
  }
  return -1;
};

/** Holds back an unfinished private key until its end. */
function beforeOpenKey(text: string, before: number): number {
  const ended = before === 0 ? -1 : text.lastIndexOf(keyEnd, before - keyEnd.length);
  let cut = before;
  while (cut > 0) {
    const begin = text.lastIndexOf(keyBegin, cut - 1);
    if (begin <= ended) return cut;
    const header = text.slice(begin, begin + maxHeader);
    if (header.length === maxHeader && !keyHeader.test(header)) return cut;
    cut = begin;
  }
  return cut;
}
