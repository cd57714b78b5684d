// What JSON may hold as it is, and a terminal would obey or not show.
const unseen = /[\u007f-\u009f]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

const toEscapes = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** Writes one JSON value, or one event, as a line of standard output. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value).replace(unseen, toEscapes)}\n`);
};

/** Writes text to standard output. */
export const printText = (text: string): void => {
  process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
};

/** Lines for the person who waits; never on standard output. */
export const printProgress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Lays rows out in columns as wide as their widest cell; the last column runs free. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === head.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}
