import type { Redactor } from './redaction.ts';
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
const mostHeld = 32_768;
/** Held back where nothing shows a good place to cut. */
const leastHeld = 1_024;

/** A name that a value may follow, up to the end: they must not be parted. */
const openAssignment =
  /[\w-]*(?:passw|passphrase|passcode|pwd|secret|token|credential|authorization|key)[\w-]*(?:\\*["'`])?\]?\s*(?::=|=>|[:=])?\s*\\*["'`]?(?:(?:Bearer|Basic|Token|ApiKey)\s*)?$/i;
const keyHeader = /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----/;

export function createRedactionStream(redactor: Redactor): RedactionStream {
  let held = '';
  let count = 0;
  const give = (cut: number): string => {
    const secrets = redactor.find(held);
    // A secret across the cut may be longer than it looks yet.
    const across = secrets.find(({ start, end }) => start < cut && end >= cut);
    const at =
      across === undefined
        ? cut
        : across.start > 0 || held.length < mostHeld
          ? across.start
          : across.end;
    const before = secrets.filter(({ end }) => end <= at);
    const certain = held.slice(0, at);
    held = held.slice(at);
    if (before.length === 0) return certain;
    // As in one piece: what is left of two without a gap may look like one only now.
    const rest = redactor.redact(replaceAll(certain, before));
    count += before.length + rest.count;
    return rest.text;
  };
  return {
    write(piece) {
      held += piece;
      const cut = findCut(held, redactor.longestSpaced);
      return cut === 0 ? '' : give(cut);
    },
    end() {
      const { text, count: more } = redactor.redact(held);
      count += more;
      held = '';
      return text;
    },
    get count() {
      return count;
    },
  };
}

/** Where the text can be parted so that no secret is: behind white space, and not within what belongs together. */
function findCut(text: string, longestSpaced: number): number {
  let cut = lastSpace(text, text.length - Math.max(1, longestSpaced)) + 1;
  for (let before = -1; cut > 0 && cut !== before;) {
    before = cut;
    const line = text.slice(Math.max(0, cut - 160), cut);
    const open = openAssignment.exec(line);
    if (open !== null) cut -= line.length - open.index;
    cut = beforeOpenKey(text, cut);
  }
  // Something without end, such as a file of one line: parted where a secret would have to be longer than any is.
  return text.length - cut > mostHeld ? text.length - leastHeld : cut;
}

const lastSpace = (text: string, from: number): number => {
  for (let at = from; at >= 0; at--) {
    const code = text.charCodeAt(at);
    if (code === 32 || code === 10 || code === 9 || code === 13) return at;
  }
  return -1;
};

/** A private key that has begun is held back until its end. */
function beforeOpenKey(text: string, cut: number): number {
  const begin = text.lastIndexOf('-----BEGIN', cut);
  if (begin === -1 || text.indexOf('-----END', begin) !== -1) return cut;
  const header = text.slice(begin, begin + 60);
  return header.length < 60 || keyHeader.test(header) ? begin : cut;
}
