// Valid in JSON, but interpreted or hidden by a terminal.
const unseen = /[\u007f-\u009f]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

const toEscapes = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** Prints one JSON value or event as a line on stdout. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value).replace(unseen, toEscapes)}\n`);
};

/** Prints text to stdout. */
export const printText = (text: string): void => {
  process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
};

/** Progress for the person waiting; never on stdout. */
export const printProgress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
