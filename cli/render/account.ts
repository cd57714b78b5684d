/** What happened in a run, line by line: what single events do not say, because it takes those before them. */
import type { RunEvent } from '../../audit/events/run-event.ts';
import { toLine } from '../clean.ts';
import { renderClock } from './clock.ts';
import { renderAge, renderEvent } from './render.ts';
import { renderReturned } from './returned.ts';
import type { Style } from './style.ts';
import type { EventOf } from '../../client/events/watch-view.ts';

/** Lines for the next event; call in order, once for each. */
export type Account = (event: RunEvent) => string[];

export function createAccount(style: Style, toNow = (): Date => new Date()): Account {
  /** Since when the model is unavailable. */
  let away: string | undefined;
  /** Steps under way at once with others. */
  const parallel = new Set<string>();
  /** Refused calls: their line says why. */
  const denied = new Set<number>();
  const returned = new Map<number, EventOf<'tool.output'>>();

  const renderAway = (event: EventOf<'model.waiting'>): string[] => {
    if (away !== undefined) return [];
    away = event.time;
    const since = renderClock(event.time, toNow());
    const { address, reason } = event;
    const why = reason.includes(address) ? reason : `${address}: ${reason}`;
    return [`${style.yellow('Model unavailable')} since ${since}: ${toLine(why, 240)}`];
  };
  const renderBack = (event: RunEvent): string[] => {
    if (away === undefined || !isAnswer(event)) return [];
    const ms = Date.parse(event.time) - Date.parse(away);
    away = undefined;
    return [`${style.green('Model back')} after ${renderAge(ms)}`];
  };
  const renderOne = (event: RunEvent): string[] => {
    if (event.type === 'model.waiting') return renderAway(event);
    if (event.type !== 'tool.finished') return renderEvent(event, style);
    if (denied.has(event.call)) return [];
    const output = returned.get(event.call);
    returned.delete(event.call);
    return [...renderEvent(event, style), ...renderReturned(event, output, style)];
  };

  return (event) => {
    if (event.type === 'decision' && event.verdict === 'deny') denied.add(event.call);
    if (event.type === 'tool.output') returned.set(event.call, event);
    if (event.type === 'step.started' && event.lane) parallel.add(event.step);
    const lines = renderOne(event);
    const named = isNamed(event, parallel)
      ? lines.map((line) => `${style.dim(toLine(event.step, 8))} ${line}`)
      : lines;
    if (event.type === 'step.merged') parallel.delete(event.step);
    if (event.type === 'plan.updated') parallel.clear();
    return [...renderBack(event), ...named];
  };
}

const isAnswer = ({ type }: RunEvent): boolean =>
  type === 'thought' || type === 'plan.updated' || type === 'review' || type === 'run.finished';

/** Lines of these name their step themselves. */
const naming: ReadonlySet<RunEvent['type']> = new Set(['step.started', 'step.merged', 'review']);

const isNamed = (
  event: RunEvent,
  parallel: ReadonlySet<string>,
): event is RunEvent & { readonly step: string } =>
  'step' in event &&
  typeof event.step === 'string' &&
  parallel.has(event.step) &&
  !naming.has(event.type);
