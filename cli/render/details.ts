/** What a person sees of an action before answering. */
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import { showControls } from '../clean.ts';
import type { Style } from './style.ts';
import { wrapLine } from './width.ts';

const indent = '    ';

/**
 * The complete call, line by line, with characters that could hide or reorder text spelled out. Lines wrap at
 * `columns`, if given. Pure.
 */
export function renderDetails(
  details: ApprovalDetails,
  style: Style,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const { args, workspace, rule, reason, risk, diff, changes, parts = [] } = details;
  const cwd = typeof args['cwd'] === 'string' ? args['cwd'] : '.';
  const rows: [string, string][] = [
    ['in', cwd === '.' ? workspace : `${workspace}/${cwd}`],
    ['why', reason],
    ['rule', rule],
    ['risk', `${risk.level}: ${risk.why}`],
  ];
  const lines: Line[] = [
    ...renderCall(details, style),
    ...(changes === undefined ? [] : renderChanges(changes, diff, style)),
    ...(parts.length < 2 ? [] : parts.map((part) => toPart(part, style))),
    ...rows.map(([name, text]): Line => ({ text: `${name.padEnd(5)} ${toOne(text)}` })),
  ];
  const wrap = (text: string): string[] =>
    Number.isFinite(columns) ? wrapLine(text, Math.max(20, columns - indent.length)) : [text];
  return lines.flatMap(({ text, paint = same }) =>
    wrap(text).map((line) => `${indent}${paint(line)}`),
  );
}

interface Line {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

const same = (text: string): string => text;

const toLines = (text: string): string[] => showControls(text).replace(/\n$/, '').split('\n');

/** Spells out line feeds too, where one line is expected. */
const toOne = (text: string): string => showControls(text).replaceAll('\n', '<U+000A>');

function renderCall({ tool, args, shown, diff }: ApprovalDetails, style: Style): Line[] {
  const { bold } = style;
  if (shown !== undefined)
    return [
      ...toLines(shown.text).map((line, index) => ({
        text: `${index === 0 ? '$' : ' '} ${line}`,
        paint: bold,
      })),
      ...renderArgs(shown.rest),
    ];
  // An empty diff says nothing; show the arguments instead.
  if (diff !== undefined && diff.trim() !== '')
    return [
      { text: `${tool} ${toOne(String(args['path']))}`, paint: bold },
      ...renderDiff(diff, style),
    ];
  return [{ text: tool, paint: bold }, ...renderArgs(args)];
}

function renderDiff(diff: string, { dim, green, red }: Style): Line[] {
  const paintOf = (line: string) =>
    line.startsWith('+') ? green : line.startsWith('-') ? red : dim;
  return toLines(diff).map((text) => ({ text, paint: paintOf(text) }));
}

/** What a command changed: every file by name and content, then the lines of those that can be shown. */
const renderChanges = (
  changes: NonNullable<ApprovalDetails['changes']>,
  diff: string | undefined,
  style: Style,
): Line[] => [
  { text: 'It has run. Held back until you answer:' },
  ...changes.map(({ kind, path, rule, mode, bytes, sha256 }) => {
    const what = mode === '120000' ? 'link, ' : mode === '100755' ? 'program, ' : '';
    const content = sha256 === undefined ? '' : `, ${what}${bytes} bytes, sha256 ${sha256}`;
    return { text: `${kind.padEnd(7)} ${toOne(path)} (${rule}${content})`, paint: style.yellow };
  }),
  ...(diff === undefined ? [] : renderDiff(diff, style)),
];

/** Multi-line text as it is, everything else as JSON. */
const renderArgs = (args: Readonly<Record<string, unknown>>): Line[] =>
  Object.entries(args).flatMap(([name, value]) =>
    typeof value === 'string' && value.includes('\n')
      ? [`${toOne(name)}:`, ...toLines(value).map((line) => `  ${line}`)].map((text) => ({ text }))
      : toLines(`${toOne(name)}: ${JSON.stringify(value, undefined, 2)}`).map((text) => ({ text })),
  );

const toPart = (
  { verdict, text, rule }: NonNullable<ApprovalDetails['parts']>[number],
  style: Style,
): Line => ({
  text: `${verdict.padEnd(5)} ${toOne(text)} (${rule})`,
  paint: { allow: style.green, ask: style.yellow, deny: style.red }[verdict],
});
