import type { Following, InjectionKind, InjectionPattern } from './patterns.ts';
import { injectionPatterns } from './patterns.ts';

/** A place where text tries to give a model orders. The text itself is not repeated. */
export interface Suspicion {
  readonly kind: InjectionKind;
  /** Offset of its first character, in UTF-16 units. */
  readonly at: number;
}

/** Characters that are invisible within a word. */
const invisible = /\p{Default_Ignorable_Code_Point}/u;

/** Cyrillic and Greek lookalikes of ASCII letters, which compatibility folding keeps. */
const lookalikes = new Map(
  Object.entries({
    а: 'a',
    е: 'e',
    о: 'o',
    р: 'p',
    с: 'c',
    у: 'y',
    х: 'x',
    і: 'i',
    ѕ: 's',
    ԁ: 'd',
    һ: 'h',
    ո: 'n',
    ԛ: 'q',
    ԝ: 'w',
    ο: 'o',
    α: 'a',
    ι: 'i',
    ν: 'v',
    ρ: 'p',
    ѵ: 'v',
    ј: 'j',
    ӏ: 'l',
    А: 'A',
    В: 'B',
    Е: 'E',
    К: 'K',
    М: 'M',
    Н: 'H',
    О: 'O',
    Р: 'P',
    С: 'C',
    Т: 'T',
    Х: 'X',
    І: 'I',
    Ѕ: 'S',
    Ј: 'J',
    Α: 'A',
    Β: 'B',
    Ε: 'E',
    Ι: 'I',
    Ο: 'O',
    Ρ: 'P',
    Τ: 'T',
    Υ: 'Y',
  }),
);

/**
 * Finds where a text tries to give orders to the model reading it: the first place of each kind, in order. Sees through
 * invisible and lookalike characters. A heuristic both ways: a hit may quote an attack, and an attack may be missed.
 */
export function findInjection(text: string): Suspicion[] {
  const found = new Map<InjectionKind, number>();
  for (const { reading, toSource } of readAll(text)) {
    const lower = reading.toLowerCase();
    for (const pattern of injectionPatterns) {
      const { kind, needs } = pattern;
      if (needs.length > 0 && !needs.some((word) => lower.includes(word))) continue;
      const index = findFirst(reading, pattern);
      if (index === undefined) continue;
      const at = toSource(index);
      found.set(kind, Math.min(at, found.get(kind) ?? at));
    }
  }
  return [...found].map(([kind, at]) => ({ kind, at })).toSorted((a, b) => a.at - b.at);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

const spansOf = (text: string, expression: RegExp): Span[] =>
  Array.from(text.matchAll(expression), ({ index, 0: { length } }) => ({
    start: index,
    end: index + length,
  }));

/**
 * Where a pattern first matches. Each part of a sequence is searched once in the whole text and the parts are joined
 * from the last one on, so no text is rescanned per starting point.
 */
function findFirst(text: string, { expression, next }: InjectionPattern): number | undefined {
  if (next.length === 0) return expression.exec(text)?.index;
  let starts = spansOf(text, expression);
  const parts: Span[][] = [];
  for (const following of next) {
    if (starts.length === 0) return undefined;
    parts.push(starts);
    starts = spansOf(text, following.expression);
  }
  for (let at = next.length - 1; at >= 0; at--) {
    const following = next[at];
    if (following !== undefined) starts = precede(text, parts[at] ?? [], starts, following);
  }
  return starts[0]?.start;
}

/** The spans that a following one is close enough to. Both lists are in order. */
function precede(
  text: string,
  spans: readonly Span[],
  nexts: readonly Span[],
  { within, stop }: Following,
): Span[] {
  let at = 0;
  return spans.filter(({ end }) => {
    while (at < nexts.length && (nexts[at]?.start ?? 0) < end) at += 1;
    const next = nexts[at];
    return (
      next !== undefined &&
      next.start - end <= within &&
      !text.slice(end, next.start).includes(stop)
    );
  });
}

/** A text as a reader sees it, with offsets back into the source. */
interface Reading {
  readonly reading: string;
  readonly toSource: (index: number) => number;
}

/** The text as written and, if different, as it looks. */
function readAll(text: string): Reading[] {
  const asWritten = { reading: text, toSource: (index: number) => index };
  if (!unusual.test(text)) return [asWritten];
  const asSeen = unmask(text);
  return asSeen.reading === text ? [asWritten] : [asWritten, asSeen];
}

const unusual = /[^\0-\x7F]/;

function unmask(text: string): Reading {
  /** From each position on, how far the source is ahead. */
  const shifts: { from: number; by: number }[] = [];
  const parts: string[] = [];
  let length = 0;
  let done = 0;
  for (const { 0: character, index } of text.matchAll(/[^\0-\x7F]/gu)) {
    const plain = toPlain(character);
    if (plain === character) continue;
    parts.push(text.slice(done, index), plain);
    length += index - done + plain.length;
    done = index + character.length;
    const last = shifts.at(-1);
    if (last?.from === length) last.by = done - length;
    else shifts.push({ from: length, by: done - length });
  }
  parts.push(text.slice(done));
  return {
    reading: parts.join(''),
    toSource: (index) => index + (shifts.findLast(({ from }) => from <= index)?.by ?? 0),
  };
}

const plainForms = new Map<string, string>();
const maxPlainForms = 20_000;

/** How a character looks; cached, because a text repeats the same few. */
function toPlain(character: string): string {
  const known = plainForms.get(character);
  if (known !== undefined) return known;
  if (plainForms.size >= maxPlainForms) plainForms.clear();
  const plain = findPlain(character);
  plainForms.set(character, plain);
  return plain;
}

/** Tag characters read as the ASCII they encode. */
function findPlain(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0xe0020 && code <= 0xe007e) return String.fromCodePoint(code - 0xe0000);
  if (invisible.test(character)) return '';
  return lookalikes.get(character) ?? character.normalize('NFKC');
}
