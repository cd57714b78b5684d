/**
 * What the person waived: the reviewer quotes it, and code checks that they really said it. Nothing a model or file
 * says can waive. Pure.
 */
import type { Said } from './contract/model.ts';

/** Words, in the commonest languages of runs, for "not wanted" or "not yet". */
const waiving = [
  /\b(?:no|not|none|nor|never|without|skip(?:ped|ping)?|waived?|omit|ignore|drop|forget|leave|unnecessary|needless|optional|later|myself|instead|enough|fine|okay?|unless|only|just|cannot|exclude|except)\b/,
  /n['’]t\b|\bi['’]?ll\b|\bi will\b/,
  /\b(?:kein\w*|nicht|nie|ohne|weglassen|überspring\w*|unnötig|später|selbst|nur)\b/,
  /\b(?:pas|sans|aucun\w*|inutile|plus tard|sauter?|ni)\b/,
  /\b(?:sin|ningún|ninguna|innecesari\w*|omit\w*|después|nunca)\b|\b(?:sem|não|nenhum\w*|nemmeno|senza|non|inutil\w*)\b/,
  /(?:^|[^\p{L}])(?:не|без|нет|потом|пропусти\w*)(?:$|[^\p{L}])/u,
  /[不没無无免]|别|跳过|ない|なし|不要|しなくて|말고|없이|필요 ?없|안 ?해/,
];

/** Whether a text may say that something is not wanted. */
export const mayWaive = (text: string): boolean => {
  const plain = text.toLowerCase();
  return waiving.some((pattern) => pattern.test(plain));
};

/** Ignores spacing, quoting and punctuation. */
const toPlain = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[\s"'“”„«»‘’`.,;:!?…()*_-]+/g, ' ')
    .trim();

const shortest = 4;

const isWithin = (quote: string, text: string): boolean =>
  ` ${toPlain(text)} `.includes(` ${toPlain(quote)} `) ||
  // Scripts without spaces between words.
  (/[^\p{ASCII}]/v.test(quote) && toPlain(text).includes(toPlain(quote)));

/**
 * Whether the quote is the person's and says that something is not wanted: taken from a message, an answer to a
 * question about leaving it out, or the goal.
 */
export function isWaiver(quote: string, said: readonly Said[], goal: string): boolean {
  const plain = toPlain(quote);
  if (plain === '') return false;
  const isAnswer = said.some(
    ({ text, asked }) => asked !== undefined && mayWaive(asked) && plain === toPlain(text),
  );
  if (isAnswer) return true;
  if (plain.length < shortest || !mayWaive(quote)) return false;
  return [goal, ...said.map(({ text }) => text)].some((text) => isWithin(quote, text));
}
