/** The bottom lines of the live view. Pure; the screen cuts them to the terminal. */
import { toLine } from '../clean.ts';
import { renderClock } from './clock.ts';
import { plural, renderAge, renderArgs, renderCount } from './render.ts';
import { renderMeter, renderUsd } from './render-use.ts';
import type { Style } from './style.ts';
import type { Acting, EventOf, WatchView } from '../../client/events/watch-view.ts';

const marks = { waiting: '☐', running: '▶', merging: '◕', done: '☑' } as const;
const shownText = 3;
const lineLength = 200;

/**
 * The plan with check marks, the current thought or action, and the usage so far. `text`: what the model is writing.
 */
export function renderLive(
  view: WatchView,
  text: string,
  elapsedMs: number,
  style: Style,
): string[] {
  const plan = view.steps.map((step) => {
    const line = `${marks[step.state]} ${toLine(step.id, 8)} ${toLine(step.title, 100)}`;
    if (step.state === 'running') return style.bold(line);
    return step.state === 'done' ? style.green(line) : line;
  });
  return [
    '',
    ...plan,
    ...renderText(view, text).map((line) => style.dim(`  ${line}`)),
    style.dim(renderBudget(view, elapsedMs, text !== '')),
  ];
}

/** The last lines of the current answer, else the last finished thought. */
function renderText(view: WatchView, text: string): string[] {
  if (view.acting.length > 0) return [];
  // Plans and reviews come as JSON, which nobody wants to read here.
  const prose = /^\s*[{[`]/.test(text) ? '' : text;
  const lines = prose
    .split('\n')
    .map((line) => toLine(line.slice(-lineLength), lineLength))
    .filter((line) => line !== '');
  if (lines.length > 0) return lines.slice(-shownText);
  return view.thought === '' ? [] : [toLine(view.thought, lineLength)];
}

/** One line: phase · step n/N · tokens · tool calls · dollars · limits almost reached · elapsed. */
export function renderBudget(view: WatchView, elapsedMs: number, isWriting = false): string {
  const done = view.steps.filter(({ state }) => state === 'done').length;
  const running = view.steps.findIndex(({ state }) => state === 'running') + 1;
  const step = view.steps.length === 0 ? [] : [`step ${running || done}/${view.steps.length}`];
  return [
    toPhase(view, isWriting),
    ...step,
    `${renderCount(view.tokens)} tokens`,
    plural(view.toolCalls, 'tool call'),
    ...(view.usd === undefined ? [] : [renderUsd(view.usd)]),
    ...(view.near ?? []).map(renderMeter),
    renderAge(elapsedMs),
  ].join(' · ');
}

function toPhase(view: WatchView, isWriting: boolean): string {
  if (view.finished !== undefined) return view.finished.status;
  const [approval] = view.approvals;
  if (approval !== undefined) return `waiting for your approval${ofStep(view, approval.step)}`;
  if (view.question !== undefined)
    return `waiting for your answer${ofStep(view, view.question.step)}`;
  if (view.paused && view.acting.length === 0) return 'paused';
  if (view.waitingFor !== undefined && !isWriting) return renderAway(view.waitingFor);
  const parallel = findParallel(view);
  if (parallel.length === 0) return toDoing(view, view.acting.at(-1), view.phase);
  return parallel
    .map(({ id }) => {
      const acting = view.acting.findLast(({ step }) => step === id);
      return `${toLine(id, 8)} ${toDoing(view, acting, view.phases[id], 40)}`;
    })
    .join(' · ');
}

const findParallel = ({ steps }: WatchView): WatchView['steps'] =>
  steps.filter(({ lane, state }) => lane && state === 'running');

const ofStep = (view: WatchView, step: string): string =>
  findParallel(view).length > 0 ? ` (${toLine(step, 8)})` : '';

const renderAway = ({ since, asking }: NonNullable<WatchView['waitingFor']>): string =>
  `model unavailable since ${renderClock(since)}, ${asking ? 'asking again' : 'waiting'}`;

function toDoing(
  { round, steps }: WatchView,
  acting: Acting | undefined,
  phase: EventOf<'phase'> | undefined,
  most = 80,
): string {
  if (acting !== undefined) {
    const { tool, preview, edited } = acting;
    return toLine(`${tool} ${edited === undefined ? preview : renderArgs(edited)}`, most);
  }
  switch (phase?.phase) {
    case 'opening':
      return 'opening the folder';
    case 'waiting-for-workspace':
      return `waiting for the folder: run ${phase.holder ?? ''} has it`;
    case 'snapshot':
      return 'taking a snapshot';
    case 'closing':
      return 'writing the report';
    case 'planning':
    case 'thinking':
    case 'reviewing':
    case 'merging':
      return phase.phase;
    case undefined:
      if (round === 0) return 'starting';
      return steps.every(({ state }) => state === 'done') ? 'reviewing' : 'thinking';
  }
}
