import type { Redactor, Secret } from './redaction.ts';
import { replaceAll } from './redaction.ts';

/** Text that comes in pieces, without its secrets: also those that a border between two pieces cuts. */
export interface RedactionStream {
  /** What of the text so far is certain. The rest is held back until more of it is known. */
  write(piece: string): string;
  /** What was held back. */
  end(): string;
  /** Secrets taken out so far. */
  readonly count: number;
}

/** At most this much is held back: more than any secret but the largest keys, which are masked line by line. */
const maxHeld = 32_768;
/** Held back where nothing shows a good place to cut. */
const leastHeld = 8_192;
/** Of what was given on this much is looked at again: the name that a value follows, and what stands before a word. */
const context = 256;

const keyBegin = '-----BEGIN';
const keyHeader = /^-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/;
const maxHeader = 90;
const keyEnd = '-----END';

export function createRedactionStream(redactor: Redactor): RedactionStream {
  let text = '';
  /** Up to here it was given on. */
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
    // As in one piece: what is left of two without a gap may look like one only now.
    const rest = redactor.redact(replaceAll(certain, inside));
    count += inside.length + rest.count;
    return rest.text;
  };
  /** A secret across the cut may be longer than it looks yet. */
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

/** Where the text can be parted so that no secret is: behind white space, and not within a key. */
function findCut(text: string, given: number, maxSpaced: number): number {
  const space = lastSpace(text, given, text.length - Math.max(1, maxSpaced)) + 1;
  const key = beforeOpenKey(text, space);
  const cut = key === space ? space : lastSpace(text, given, key - 1) + 1;
  // Something without end, such as a file of one line: parted where a secret would have to be longer than any is.
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

/** A private key that has begun is held back until its end. */
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
