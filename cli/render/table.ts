import { fitLine, padLine, widthOf } from './width.ts';

export interface Table {
  readonly head: readonly string[];
  /** A cell for each column of the head; the last one runs free. */
  readonly rows: readonly (readonly string[])[];
  /** Columns a narrow window can do without, the least important first. */
  readonly spare?: readonly string[];
}

/** Terminal columns of standard output; a pipe or file has no end. */
export const toColumns = ({ isTTY, columns }: NodeJS.WriteStream = process.stdout): number =>
  isTTY ? columns || 80 : Infinity;

/** The least that is worth showing of the last column. */
const minLast = 12;

/** Lays rows out in columns as wide as their widest cell, cut to the window. */
export function renderTable(table: Table, columns = toColumns()): string {
  const { head, spare = [] } = table;
  const all = [head, ...table.rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  const last = head.length - 1;
  const shown = new Set(head.keys());
  const needed = (): number =>
    [...shown].reduce(
      (sum, column) =>
        sum + (column === last ? Math.min(widths[last] ?? 0, minLast) : (widths[column] ?? 0) + 2),
      0,
    );
  for (const name of spare) if (needed() > columns) shown.delete(head.indexOf(name));
  return all
    .map((row) => {
      const cells = row.flatMap((cell, column) => {
        if (!shown.has(column)) return [];
        return column === last ? cell : padLine(cell, widths[column] ?? 0);
      });
      return `${fitLine(cells.join('  ').trimEnd(), columns)}\n`;
    })
    .join('');
}
