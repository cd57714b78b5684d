/** The bottom lines of the live view. Pure; the screen cuts them to the terminal. */
import { toLine } from '../clean.ts';
import { plural, renderAge, renderArgs, renderCount } from './render.ts';
import { renderMeter, renderUsd } from './render-use.ts';
import type { Style } from './style.ts';
import type { WatchView } from '../../client/events/watch-view.ts';

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
    style.dim(renderBudget(view, elapsedMs)),
  ];
}

/** The last lines of the current answer, else the last finished thought. */
function renderText(view: WatchView, text: string): string[] {
  if (view.acting !== undefined) return [];
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
export function renderBudget(view: WatchView, elapsedMs: number): string {
  const done = view.steps.filter(({ state }) => state === 'done').length;
  const running = view.steps.findIndex(({ state }) => state === 'running') + 1;
  const step = view.steps.length === 0 ? [] : [`step ${running || done}/${view.steps.length}`];
  return [
    toPhase(view),
    ...step,
    `${renderCount(view.tokens)} tokens`,
    plural(view.toolCalls, 'tool call'),
    ...(view.usd === undefined ? [] : [renderUsd(view.usd)]),
    ...(view.near ?? []).map(renderMeter),
    renderAge(elapsedMs),
  ].join(' · ');
}

function toPhase(view: WatchView): string {
  if (view.finished !== undefined) return view.finished.status;
  if (view.approvals.length > 0) return 'waiting for your approval';
  if (view.question !== undefined) return 'waiting for your answer';
  if (view.acting !== undefined) {
    {
      const { tool, preview, edited } = view.acting;
      return toLine(`${tool} ${edited === undefined ? preview : renderArgs(edited)}`, 80);
    }
  }
  if (view.paused) return 'paused';
  if (view.waitingFor !== undefined)
    return `waiting for the model at ${toLine(view.waitingFor.address, 60)}`;
  if (view.round === 0) return 'planning';
  return view.steps.every(({ state }) => state === 'done') ? 'reviewing' : 'thinking';
}
