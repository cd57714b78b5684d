/**
 * Path patterns: `*` and `?` within a name, `[a-z]` `[!a-z]`, `**` for any number of folders. No braces, no negation.
 * `x/**` also matches `x`; a trailing `/` means `/**`.
 */
export interface Glob {
  readonly text: string;
  /** Matches folded names, so that case and Unicode variants are equal. */
  readonly folded: boolean;
  readonly segments: readonly Segment[];
}

type Segment = '**' | { readonly name: string } | { readonly tokens: readonly Token[] };
type Token =
  | '*'
  | '?'
  | { readonly char: string }
  | { readonly ranges: readonly (readonly [number, number])[]; readonly negated: boolean };

/** What is wrong with a pattern; the message quotes nothing of it. */
export class GlobError extends Error {
  override readonly name = 'GlobError';
}

const plain = /^[\u0021-\u0040\u005b-\u007e]*[\u0021-\u002d\u002f-\u0040\u005b-\u007d]$/;

/**
 * The name under which a file system might find the same file when it ignores case, invisible characters, trailing dots
 * or streams. For deny rules, where too wide is safe.
 */
export function foldName(name: string): string {
  if (plain.test(name) && !name.includes(':') && !name.includes('~')) return name;
  const folded = name
    .normalize('NFC')
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .toLowerCase()
    .normalize('NFC')
    .replace(/:[:$].*$/s, '')
    .replace(/(?<![. ])[. ]+$/, '');
  if (/^git~\d+$/.test(folded)) return '.git';
  return folded === '' ? name : folded;
}

/** @throws GlobError if the pattern is invalid. */
export function toGlob(text: string, { folded = false } = {}): Glob {
  let body = text.startsWith('./') ? text.slice(2) : text;
  if (body.endsWith('/')) body += '**';
  if (body === '') throw new GlobError('the pattern is empty');
  if (body.startsWith('/')) throw new GlobError('a pattern is relative to the workspace root');
  if (body.startsWith('!')) throw new GlobError('a pattern cannot be negated');
  if (/[{}\\]/.test(body)) throw new GlobError('braces and backslashes are not supported');
  const segments = body.split('/').map((part): Segment => {
    if (part === '') throw new GlobError('the pattern has an empty folder name');
    if (part === '..' || part === '.') throw new GlobError('"." and ".." are not allowed in it');
    if (part === '**') return '**';
    if (part.includes('**')) throw new GlobError('"**" must stand alone between slashes');
    const name = folded ? part.normalize('NFC').toLowerCase() : part;
    return /[*?[]/.test(name) ? { tokens: toTokens(name) } : { name };
  });
  return { text, folded, segments };
}

function toTokens(name: string): Token[] {
  const tokens: Token[] = [];
  const chars = Array.from(name);
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*' || char === '?') {
      if (char !== '*' || tokens.at(-1) !== '*') tokens.push(char);
    } else if (char === '[') {
      const negated = chars[at + 1] === '!' || chars[at + 1] === '^';
      const first = at + (negated ? 2 : 1);
      // As in every shell, `]` right after `[` is a member.
      const end = chars.indexOf(']', first + 1);
      if (end < 0) throw new GlobError('"[" is not closed');
      tokens.push({ ranges: toRanges(chars.slice(first, end)), negated });
      at = end;
    } else tokens.push({ char });
  }
  return tokens;
}

function toRanges(members: readonly string[]): [number, number][] {
  const codes = members.map((member) => member.codePointAt(0) ?? 0);
  const ranges: [number, number][] = [];
  for (let at = 0; at < codes.length; at++) {
    const low = codes[at] ?? 0;
    const isRange = members[at + 1] === '-' && at + 2 < codes.length;
    ranges.push([low, isRange ? (codes[at + 2] ?? low) : low]);
    if (isRange) at += 2;
  }
  return ranges;
}

/** `names`: the path's components, folded by the caller if the glob is; empty for the root. */
export const matchesGlob = (glob: Glob, names: readonly string[]): boolean =>
  matchList(glob.segments, names, '**', matchesName);

const matchesName = (segment: Segment, name: string): boolean => {
  if (segment === '**') return false;
  if ('name' in segment) return segment.name === name;
  return matchList(segment.tokens, Array.from(name), '*', matchesChar);
};

const matchesChar = (token: Token, char: string): boolean => {
  if (token === '*') return false;
  if (token === '?') return true;
  if ('char' in token) return token.char === char;
  const code = char.codePointAt(0) ?? 0;
  return token.ranges.some(([low, high]) => code >= low && code <= high) !== token.negated;
};

/** Backtracks only to the latest wildcard: that suffices, and bounds the work to the product of the two lengths. */
function matchList<P, V>(
  pattern: readonly P[],
  values: readonly V[],
  wildcard: P,
  matches: (part: P, value: V) => boolean,
): boolean {
  let p = 0;
  let v = 0;
  let wildcardAt = -1;
  let resumeAt = 0;
  while (v < values.length) {
    const part = pattern[p];
    if (p < pattern.length && part === wildcard) {
      wildcardAt = p++;
      resumeAt = v;
    } else if (p < pattern.length && matches(part as P, values[v] as V)) {
      p++;
      v++;
    } else if (wildcardAt >= 0) {
      p = wildcardAt + 1;
      v = ++resumeAt;
    } else return false;
  }
  while (pattern[p] === wildcard && p < pattern.length) p++;
  return p === pattern.length;
}
