import { createRequire } from 'node:module';
import type stringWidth from 'string-width';

// eslint-disable-next-line no-control-regex -- our own colours
const colour = /(\u001b\[[0-9;]*m)/;
const plain = '\u001b[0m';
// ASCII and the signs of our own lines.
const narrow = /^[ -~·…–→✓✗☐▶◕☑]*$/;
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Terminal columns of a text without line feeds or tabs; colours count nothing. */
export const widthOf = (text: string): number => (narrow.test(text) ? text.length : measure(text));

const require = createRequire(import.meta.url);
let loaded: typeof stringWidth | undefined;

/** Loading string-width takes as long as all else of `agent list`, and most lines do without it. */
function measure(text: string): number {
  loaded ??= (require('string-width') as { readonly default: typeof stringWidth }).default;
  return loaded(text);
}

/** The line cut to a number of terminal columns, with an ellipsis; colours end with the line. */
export function fitLine(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  let used = 0;
  let kept = '';
  const parts = line.split(colour);
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) kept += part;
    else {
      for (const { segment } of segmenter.segment(part)) {
        used += widthOf(segment);
        // The ellipsis needs a column as well.
        if (used >= columns) return `${kept}…${kept.includes('\u001b') ? plain : ''}`;
        kept += segment;
      }
    }
  }
  return kept;
}

/** The text padded with spaces to a number of terminal columns. */
export const padLine = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - widthOf(text)));

/** Rows a line takes on a terminal that wraps it. */
export const rowsOf = (line: string, columns: number): number =>
  Math.max(1, Math.ceil(widthOf(line) / columns));

const tab = ' '.repeat(4);

/** The line on as many lines as it needs; tabs become spaces, so that it is as wide as it is counted. */
export function wrapLine(line: string, columns: number): string[] {
  const lines: string[] = [];
  let current = '';
  let used = 0;
  for (const { segment } of segmenter.segment(line)) {
    const text = segment === '\t' ? tab : segment;
    const width = widthOf(text);
    if (used + width > columns && current !== '') {
      lines.push(current);
      current = '';
      used = 0;
    }
    current += text;
    used += width;
  }
  return [...lines, current];
}

/**
 * The line broken at spaces, continued below its indent. A word wider than that stays whole: a path can still be copied.
 * Colours count nothing and go on.
 */
export function wrapWords(line: string, columns: number): string[] {
  if (widthOf(line) <= columns) return [line];
  const [indent = ''] = /^ */.exec(line) ?? [];
  const below = `${indent}  `;
  const lines: string[] = [];
  let current = indent;
  let isEmpty = true;
  for (const word of line.slice(indent.length).split(' ')) {
    const next = isEmpty ? current + word : `${current} ${word}`;
    if (isEmpty || widthOf(next) <= columns) current = next;
    else {
      lines.push(current);
      current = below + word;
    }
    isEmpty = false;
  }
  return [...lines, current];
}
