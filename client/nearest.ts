/** Edit distance: inserts, deletes, replacements, and swaps of neighbours. */
const countEdits = (from: string, to: string): number => {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(
        (next[column - 1] ?? 0) + 1,
        (last[column] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) {
        least = Math.min(least, (beforeLast[column - 2] ?? 0) + 1);
      }
      next.push(least);
    }
    beforeLast = last;
    last = next;
  }
  return last[to.length] ?? 0;
};

/** The known words closest to what was typed, best first, at most `max`; empty if none is close. */
export function findNearest(typed: string, known: readonly string[], max = 1): string[] {
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  return known
    .map((word) => ({
      word,
      edits: word.startsWith(typed) && typed.length > 1 ? 0 : countEdits(typed, word),
    }))
    .filter(({ edits }) => edits <= allowed)
    .toSorted((a, b) => a.edits - b.edits)
    .slice(0, max)
    .map(({ word }) => word);
}
