/** Lines, from 1, where a text begins; at most 20. */
export function linesOf(text: string, piece: string): number[] {
  const lines: number[] = [];
  let at = text.indexOf(piece);
  while (at !== -1 && lines.length < 20) {
    lines.push(text.slice(0, at).split('\n').length);
    at = text.indexOf(piece, at + piece.length);
  }
  return lines;
}

const squeeze = (line: string): string => line.replaceAll(/\s+/g, ' ').trim();

/** Says where the text nearly matches: models mostly get white space wrong, or recall an older version of a line. */
export function describeMissing(text: string, piece: string, path: string): string {
  const head = `The text to replace is not in ${path}.`;
  if (text.includes(piece.replaceAll('\n', '\r\n')))
    return `${head} The file's lines end in \\r\\n: write them that way in old and new.`;
  const lines = text.split('\n');
  const wanted = piece.split('\n').map(squeeze).find(Boolean) ?? '';
  const near = wanted === '' ? [] : findNear(lines, wanted);
  if (near.length === 0) return `${head} Read the file and copy the text exactly.`;
  const shown = near.map((index) => `${index + 1}: ${(lines[index] ?? '').slice(0, 200)}`);
  return `${head} Closest match to its first line:\n${shown.join('\n')}\nCopy the text exactly, including white space.`;
}

const maxCompared = 20_000;
const leastAlike = 0.6;

/** Up to three lines: those that match except for white space, else the most similar. */
function findNear(lines: readonly string[], wanted: string): number[] {
  const squeezed = lines.slice(0, maxCompared).map(squeeze);
  const holding = squeezed.flatMap((line, index) => (line.includes(wanted) ? [index] : []));
  if (holding.length > 0) return holding.slice(0, 3);
  const pairs = toPairs(wanted);
  return squeezed
    .map((line, index) => ({ index, alike: line === '' ? 0 : compare(pairs, toPairs(line)) }))
    .filter(({ alike }) => alike >= leastAlike)
    .toSorted((a, b) => b.alike - a.alike)
    .slice(0, 3)
    .map(({ index }) => index);
}

const toPairs = (line: string): Set<string> =>
  new Set(Array.from({ length: line.length - 1 }, (_, at) => line.slice(at, at + 2)));

/** Share of letter pairs two lines have in common, 0 to 1. */
function compare(a: Set<string>, b: Set<string>): number {
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return (2 * common) / Math.max(a.size + b.size, 1);
}
