/** What a person is shown of an action before they answer. */
import type { ApprovalDetails } from '../activities/contract.ts';
import { BlobError, createBlobStore, isRef } from '../audit/blobs.ts';
import type { Settings } from '../config/environment.ts';
import { stripControls, toLine } from './clean.ts';
import type { Style } from './style.ts';

const mostLines = 60;
const lineLength = 200;

/** Undefined where the state folder with the run's blobs is not, as on another machine. */
export async function readDetails(
  { folders }: Settings,
  ref: string | undefined,
): Promise<ApprovalDetails | undefined> {
  if (ref === undefined || !isRef(ref)) return undefined;
  try {
    return await createBlobStore(folders.blobs).getJson<ApprovalDetails>(ref);
  } catch (error) {
    if (error instanceof BlobError) return undefined;
    throw error;
  }
}

/** The whole call, line by line, with nothing in it that could hide or reorder text. Pure. */
export function renderDetails(details: ApprovalDetails, style: Style): string[] {
  const { tool, args, workspace, rule, reason, risk, diff, parts = [] } = details;
  const cwd = typeof args['cwd'] === 'string' ? args['cwd'] : '.';
  const rows: [string, string][] = [
    ['in', cwd === '.' ? workspace : `${workspace}/${cwd}`],
    ['why', reason],
    ['rule', rule],
    ['risk', `${risk.level}: ${risk.why}`],
  ];
  return [
    ...renderCall(tool, args, diff, style),
    ...(parts.length < 2 ? [] : parts.map((part) => renderPart(part, style))),
    ...rows.map(([name, text]) => `${style.dim(name.padEnd(5))} ${toLine(text, 400)}`),
  ].map((line) => `    ${line}`);
}

function renderCall(
  tool: string,
  args: ApprovalDetails['args'],
  diff: string | undefined,
  style: Style,
): string[] {
  if (diff !== undefined)
    return [
      style.bold(`${tool} ${toLine(String(args['path']), lineLength)}`),
      ...renderDiff(diff, style),
    ];
  if (tool !== 'run_command') {
    return [style.bold(tool), ...cut(JSON.stringify(args, undefined, 2))];
  }
  const { command, argv } = args;
  const text = typeof command === 'string' ? command : (argv as string[]).map(quote).join(' ');
  return cut(text).map((line, index) => style.bold(`${index === 0 ? '$' : ' '} ${line}`));
}

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);

function renderPart(
  { verdict, text, rule }: NonNullable<ApprovalDetails['parts']>[number],
  style: Style,
): string {
  const paint = { allow: style.green, ask: style.yellow, deny: style.red }[verdict];
  return `${paint(verdict.padEnd(5))} ${toLine(text, lineLength)} ${style.dim(`(${rule})`)}`;
}

const renderDiff = (diff: string, style: Style): string[] =>
  cut(diff).map((line) => {
    if (line.startsWith('+')) return style.green(line);
    return line.startsWith('-') ? style.red(line) : style.dim(line);
  });

function cut(text: string): string[] {
  const lines = stripControls(text).replace(/\n$/, '').split('\n');
  const shown = lines.slice(0, mostLines).map((line) => toLineOf(line));
  const more = lines.length - shown.length;
  return more === 0 ? shown : [...shown, `… ${more} more lines`];
}

/** Indentation stays, tabs and all: it is part of what is shown. */
const toLineOf = (line: string): string =>
  line.length <= lineLength ? line : `${line.slice(0, lineLength)}… (${line.length} characters)`;
