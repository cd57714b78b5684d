import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { AuditEntry } from '../../audit/record/log.ts';
import { readDays } from '../../audit/record/log.ts';
import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { parseRun, readRunNames, toUnknownRun } from '../../client/connect.ts';
import { createTail } from '../../client/events/tail.ts';
import { parseCount } from '../values.ts';
import { renderClock } from '../render/clock.ts';

const pollMs = 300;

/** `agent audit tail`: the newest audit log entries, or one run's; `-f` follows until Ctrl-C. */
export const command = defineCommand({
  options: {
    follow: { short: 'f', help: 'keep printing new entries' },
    lines: { value: 'n', short: 'n', help: 'how many; default: 20', parse: parseCount },
  },
  example: 'agent audit tail -f',
  streams: true,
  async run({ args, options, json }) {
    const run = args[0] === undefined ? undefined : parseRun(args[0]);
    const isWanted = (entry: unknown): boolean =>
      run === undefined || (entry as { readonly run?: string }).run === run;
    const { lines: max = 20, follow } = options;
    const settings = readSettings();
    const { audit } = settings.folders;
    const print = json ? printJson : printEntry;
    const newest = await readNewest(audit, max, isWanted);
    if (run !== undefined && newest.entries.length === 0 && !readRunNames(settings).includes(run))
      throw await toUnknownRun(settings, run);
    for (const entry of newest.entries) print(entry);
    if (!follow) {
      if (newest.entries.length === 0)
        printProgress(
          `The audit log in ${audit} has no entries${run === undefined ? '' : ` of run ${run}`} yet.`,
        );
      return 0;
    }
    let { day, tail } = newest;
    for (;;) {
      await setTimeout(pollMs);
      for (const entry of parseEntries((await tail?.read()) ?? []).filter(isWanted)) print(entry);
      const next = (await readDayNames(audit)).find((name) => name > day);
      if (next === undefined) continue;
      await tail?.close();
      day = next;
      tail = createTail(join(audit, next));
    }
  },
});

const readDayNames = async (folder: string): Promise<string[]> =>
  existsSync(folder) ? await readDays(folder) : [];

/** The last entries, going back over as many days as needed, and the newest day's file to continue from. */
async function readNewest(folder: string, max: number, isWanted: (entry: unknown) => boolean) {
  const days = await readDayNames(folder);
  let entries: unknown[] = [];
  let newest: ReturnType<typeof createTail> | undefined;
  for (const name of days.toReversed()) {
    const tail = createTail(join(folder, name));
    const found = parseEntries(await tail.read()).filter(isWanted);
    entries = [...found, ...entries].slice(-max);
    if (newest === undefined) newest = tail;
    else await tail.close();
    if (entries.length >= max) break;
  }
  return { entries, day: days.at(-1) ?? '', tail: newest };
}

const parseEntries = (lines: readonly string[]): unknown[] =>
  lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      return []; // Not whole: `audit verify` says what is wrong with it.
    }
  });

const printEntry = (entry: unknown): void => printText(renderEntry(entry as AuditEntry));

/** One line per entry; unknown kinds are shown as they are. */
export function renderEntry(entry: AuditEntry, now = new Date()): string {
  const clock = renderClock(entry.time ?? '', now);
  const head = `${clock} ${'step' in entry ? `${entry.run} ${entry.step}` : ''}`.trim();
  switch (entry.kind) {
    case 'decision':
    case 'intent':
    case 'rollback':
    case 'unknown':
    case 'outcome': {
      const end = entry.kind === 'outcome' ? ` ${toOutcome(entry)}` : '';
      const by = entry.approver === undefined ? '' : ` by ${entry.approver}`;
      const name = entry.kind === 'unknown' ? 'outcome unknown' : `${entry.kind} ${entry.verdict}`;
      const hook = entry.hook === undefined ? '' : ` hook ${entry.hook}`;
      const what = `${name}${by}${hook} ${entry.tool} ${entry.preview} (${entry.rule}, policy ${entry.policy.slice(0, 12)})`;
      return toLine(`${head} ${what}${end}`, 400);
    }
    case 'approval': {
      const why = entry.reason === undefined ? '' : `: ${entry.reason}`;
      const edited = entry.edited === undefined ? '' : ' with other arguments';
      const refused = entry.refused === undefined ? '' : ` NOT COUNTED: ${entry.refused}`;
      return toLine(
        `${head} ${entry.answer} ${entry.request}${edited} by ${entry.by}${why}${refused}`,
        400,
      );
    }
    case 'settlement':
      return toLine(`${head} ${entry.request} ${entry.what} by ${entry.by}`, 400);
    case 'network': {
      const { verdict, method, host, port, rule } = entry;
      return toLine(`${head} network ${verdict} ${method} ${host}:${port} (${rule})`, 400);
    }
    case 'git-settings':
      return toLine(`${clock} ${entry.run} git settings: ${entry.settings.join('; ')}`, 400);
    case 'promotion': {
      const { state, mode, target, by, paths = [] } = entry;
      const what = `promotion ${state} (${mode}) to ${target} by ${by}`;
      return toLine(`${head} ${what}: ${entry.reason ?? paths.join(', ')}`, 400);
    }
    case 'policy': {
      const { added = [], removed = [] } = entry;
      const rules = [...added.map((id) => ` +${id}`), ...removed.map((id) => ` -${id}`)].join('');
      return toLine(`${head} policy ${entry.sha256} in force${rules}, by ${entry.by}`, 400);
    }
    case 'hooks':
      return toLine(`${head} hooks ${entry.sha256}: ${entry.names.join(', ')}`, 400);
    case 'message':
      return toLine(`${head} ${entry.what} by ${entry.by} NOT COUNTED: ${entry.refused}`, 400);
    case 'refusal':
      return toLine(
        `${clock} ${entry.run} REFUSED ${entry.activity} of execution ${entry.execution}: ${entry.why}`,
        400,
      );
    case 'end': {
      const { limit, run, status, why } = entry;
      const by =
        limit === undefined ? '' : ` by ${limit.name} (${limit.used} of ${limit.limit} used)`;
      return toLine(`${clock} ${run} ended: ${status}${by}: ${why}`, 400);
    }
    default:
      return toLine(JSON.stringify(entry), 400);
  }
}

const toOutcome = ({
  ok,
  exitCode,
  ms,
  suspicious = [],
}: {
  suspicious?: readonly { readonly kind: string }[];
  ok?: boolean;
  exitCode?: number;
  ms?: number;
}): string =>
  [
    ok === true ? 'ok' : 'failed',
    exitCode === undefined ? '' : `exit ${exitCode}`,
    `${ms ?? 0} ms`,
    suspicious.length === 0 ? '' : `suspicious: ${suspicious.map(({ kind }) => kind).join(', ')}`,
  ]
    .filter((part) => part !== '')
    .join(', ');
