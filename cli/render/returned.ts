/** What a tool returned, and what an edit changed: the first lines, and where the rest is. */
import { stripControls } from '../clean.ts';
import type { Style } from './style.ts';
import type { EventOf } from '../../client/events/watch-view.ts';

const maxOutput = 4;
const maxDiff = 12;
const maxLine = 160;
const indent = '    ';

/** Lines for below a finished call. */
export function renderReturned(
  { call, run }: EventOf<'tool.finished'>,
  output: EventOf<'tool.output'> | undefined,
  style: Style,
): string[] {
  if (output === undefined) return [];
  const { diff } = output;
  const all = diff === undefined ? toOutput(output) : toDiffLines(diff);
  const shown = all.slice(0, diff === undefined ? maxOutput : maxDiff);
  const more = all.length - shown.length;
  const isCut = more > 0 || (output.output === undefined && output.text.length < output.bytes);
  const rest = more > 0 ? `${more} more ${more === 1 ? 'line' : 'lines'}` : 'more';
  const paint = diff === undefined ? () => style.dim : (line: string) => toPaint(line, style);
  return [
    ...shown.map((line) => `${indent}${paint(line)(cut(line))}`),
    ...(isCut ? [`${indent}${style.dim(`… ${rest}: agent logs ${run} --call ${call}`)}`] : []),
  ];
}

/** All of it, for `agent logs --call`. */
export const renderWhole = (
  { output, text, diff }: EventOf<'tool.output'>,
  style: Style,
): string[] => [
  ...(diff === undefined ? [] : toDiffLines(diff).map((line) => toPaint(line, style)(line))),
  ...toLines(output ?? text),
];

/** Without blank lines, and the exit code that the call's own line has. */
const toOutput = ({ output, text }: EventOf<'tool.output'>): string[] =>
  toLines(output ?? text).filter(
    (line, index) => line.trim() !== '' && !(index === 0 && /^exit code \d+$/.test(line)),
  );

const toLines = (text: string): string[] => {
  const clean = stripControls(text).trimEnd();
  return clean === '' ? [] : clean.split('\n');
};

/** Without the lines that only name the file: the call does that. */
const toDiffLines = (diff: string): string[] =>
  toLines(diff).filter((line) => !/^(?:--- |\+\+\+ |={10})/.test(line));

const toPaint = (line: string, { dim, green, red }: Style): ((text: string) => string) =>
  line.startsWith('+') ? green : line.startsWith('-') ? red : dim;

const cut = (line: string): string =>
  line.length <= maxLine ? line : `${line.slice(0, maxLine - 1)}…`;
