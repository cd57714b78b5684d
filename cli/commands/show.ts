import { existsSync } from 'node:fs';
import { createBlobStore, isRef } from '../../audit/record/blobs.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { defineCommand } from '../command.ts';
import { stripControls, toLine } from '../clean.ts';
import { tellAllWhole } from '../../client/events/tell.ts';
import { renderDetails } from '../render/details.ts';
import { readEventsSoFar } from '../../client/events/so-far.ts';
import { printJson, printText } from '../render/output.ts';
import { createAccount } from '../render/account.ts';
import { renderClock } from '../render/clock.ts';
import { renderAge, renderEvent, renderSummary } from '../render/render.ts';
import { toColumns } from '../render/table.ts';
import { wrapWords } from '../render/width.ts';
import { renderUse } from '../render/render-use.ts';
import { toRow } from '../../client/events/run-log.ts';
import { connectRunning, parseRun, withClient } from '../../client/connect.ts';
import { findPromotion } from '../../client/snapshots.ts';
import { createStyle, plainStyle } from '../render/style.ts';
import type { Style } from '../render/style.ts';
import { readRunTrail } from '../../client/events/trail.ts';
import { renderTrouble, toTroubledStatus } from '../render/trouble.ts';
import type { Trouble } from '../../client/trouble.ts';
import type { WatchView } from '../../client/events/watch-view.ts';
import { emptyView, foldEvent } from '../../client/events/watch-view.ts';
import type { RunView } from '../../workflows/contract.ts';

const askWithinMs = 3_000;

/** `agent show`: a run's status, plan, usage and result, and where its files are. */
export const command = defineCommand({
  example: `agent show brave-otter-4f2a`,
  async run({ args, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    const events = await tellAllWhole(settings, await readEventsSoFar(settings, run), false);
    const view = events.reduce(foldEvent, emptyView);
    const { now, trouble } = view.finished === undefined ? await askRun(settings, run) : {};
    const files = toFiles(settings, run, view);
    const staged = await readStaged(settings, run, view);
    if (json) {
      const { v: _v, seq: _seq, type: _type, ...result } = view.finished ?? {};
      const row = toRow(run, events, '');
      printJson({
        ...row,
        plan: view.steps,
        status: trouble === undefined ? row.status : toTroubledStatus(trouble),
        trouble,
        view: now,
        result: view.finished === undefined ? undefined : result,
        staged,
        // The oldest also separately, for scripts that know just one.
        approval: view.approvals.length === 0 ? undefined : view.approvals[0],
        approvals: view.approvals.length === 0 ? undefined : view.approvals,
        question: view.question,
        questions: view.question === undefined ? undefined : view.questions,
        ...files,
      });
      return 0;
    }
    const style = createStyle(process.stdout, process.env);
    printText(renderRun(run, events, view, now, style));
    const last = await tellAllWhole(settings, toLastCalls(events), true);
    if (last.length > 0)
      printText([style.dim('last calls'), ...renderCalls(last, style)].join('\n'));
    if (trouble !== undefined) printText(style.red(renderTrouble(run, trouble).join('\n')));
    for (const approval of view.approvals) {
      for (const line of renderEvent(approval, style)) printText(line);
      if (approval.action !== undefined)
        printText(renderDetails(approval.action, style).join('\n'));
      else if (approval.details !== undefined)
        printText(`    Its details are not in ${settings.folders.root} on this machine.`);
      printText(`  answer: agent approve|deny ${run} ${approval.request}`);
    }
    if (staged !== undefined) printText(renderStage(staged));
    for (const [name, file] of Object.entries(files))
      if (file !== undefined) printText(`${name.padEnd(9)} ${file}`);
    return 0;
  },
});

interface Present {
  /** The run's current state as it reports it; absent if nobody answers. */
  readonly now?: RunView;
  readonly trouble?: Trouble;
}

async function askRun(settings: Settings, run: string): Promise<Present> {
  const client = await connectRunning(settings).catch(() => undefined);
  if (client === undefined) return {};
  return await withClient(client, async () => {
    const trouble = await client.findTrouble(run);
    // A run whose workflow fails cannot report its state.
    const now = trouble?.what === 'workflow' ? undefined : await client.view(run, askWithinMs);
    return { now, trouble };
  });
}

interface StageState {
  readonly target: string;
  readonly state: 'working' | 'waiting' | 'promoted';
}

/** Whether a staged run's change has been applied; undefined for other runs. */
async function readStaged(
  settings: Settings,
  run: string,
  { started, finished }: WatchView,
): Promise<StageState | undefined> {
  const target = started?.stagedFrom;
  if (target === undefined) return undefined;
  if (finished === undefined) return { target, state: 'working' };
  const promotion = await findPromotion(await readRunTrail(settings, run));
  return { target, state: promotion === undefined ? 'waiting' : 'promoted' };
}

const stageWords: Record<StageState['state'], string> = {
  working: 'works on a copy of',
  waiting: 'not promoted yet to',
  promoted: 'promoted to',
};

const renderStage = ({ target, state }: StageState): string =>
  `${'staged'.padEnd(9)} ${stageWords[state]} ${toLine(target, 400)}`;

function toFiles(
  { folders }: Settings,
  run: string,
  { finished }: WatchView,
): Readonly<Record<'log' | 'report', string | undefined>> {
  const report = finished?.report;
  const log = toRunLog(folders.root, run);
  return {
    log: existsSync(log) ? log : undefined,
    report:
      report !== undefined && isRef(report)
        ? createBlobStore(folders.blobs).pathOf(report)
        : undefined,
  };
}

const maxCalls = 3;

/** The events of the calls that ended last. */
function toLastCalls(events: readonly RunEvent[]): RunEvent[] {
  const ended = events.filter(({ type }) => type === 'tool.finished').slice(-maxCalls);
  const calls = new Set(ended.map((event) => 'call' in event && event.call));
  return events.filter(
    (event) =>
      (event.type === 'tool.output' || event.type === 'tool.finished') && calls.has(event.call),
  );
}

const renderCalls = (events: readonly RunEvent[], style: Style): string[] =>
  events.flatMap(createAccount(style)).flatMap((line) => wrapWords(line, toColumns()));

const marks = { waiting: '☐', running: '▶', merging: '◕', done: '☑' } as const;

/** The run itself knows best; after it ended, its events do. */
function toUse(events: readonly RunEvent[], now: RunView | undefined): string[] {
  if (now !== undefined) return renderUse(now.usage, now.limits);
  const last = events.findLast(({ type }) => type === 'budget' || type === 'run.finished');
  return last !== undefined && 'usage' in last ? renderUse(last.usage) : [];
}

/** The status as listed, and what the run is doing where that says more. */
function renderStatus(status: string, now: RunView | undefined): string {
  if (now === undefined) return status;
  const { phase } = now.now;
  const doing = phase === status ? '' : `, ${phase.replaceAll('-', ' ')}`;
  return `${status}${doing}${now.pausing ? ', pausing' : ''}`;
}

/** Everything known of a run, for people. */
export function renderRun(
  run: string,
  events: readonly RunEvent[],
  view: WatchView,
  now: RunView | undefined,
  style: Style = plainStyle,
): string {
  const { status, model, workspace, goal, started } = toRow(run, events, '');
  const rows: [string, string][] = [
    ['run', run],
    ['status', renderStatus(status, now)],
    ['started', `${renderClock(started)} (${renderAge(Date.now() - Date.parse(started))} ago)`],
    ['goal', stripControls(goal).replaceAll('\n', '\n          ')],
    ['workspace', workspace],
    ['model', toLine(model, 80)],
    ...toUse(events, now).map((line, at): [string, string] => [at === 0 ? 'used' : '', line]),
  ];
  const lines = rows.map(([name, value]) => `${style.dim(name.padEnd(9))} ${value}`);
  if (view.steps.length > 0) {
    lines.push(`${style.dim('plan')}      round ${view.round}`);
    lines.push(
      ...view.steps.map(
        ({ id, title, state }) => `  ${marks[state]} ${toLine(id, 8)} ${toLine(title, 100)}`,
      ),
    );
  }
  for (const question of view.questions) {
    const to = view.questions.length > 1 ? ` --to ${question.request}` : '';
    lines.push(...renderEvent(question, style), `  answer: agent say ${run}${to} "…"`);
  }
  if (view.finished !== undefined) {
    lines.push(...renderEvent(view.finished, style), '', renderSummary(view.finished.summary), '');
  }
  return lines.join('\n');
}
