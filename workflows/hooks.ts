/** Guardrail hooks: commands that no model asked for and none can change, whose red keeps work from counting as done. */
import type { HookInForce } from '../activities/contract/hooks.ts';
import type { Ref } from '../activities/contract/refs.ts';
import { waitWhilePaused } from './control.ts';
import type { HookEnd } from './contract.ts';
import { perform } from './perform.ts';
import { giveUpPlan } from './reviewer.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';

/** Times a step is given back to the model for a hook that is required; once for one that is not. */
const maxReturns = 3;

/** Step in whose name hooks run when all steps are done. */
const atEnd = 'end';

interface RedHook {
  readonly hook: HookInForce;
  /** What the model is told. */
  readonly notes?: Ref;
}

/**
 * Runs the hooks due after a step whose model says that it is finished. True when one failed and the model is to fix it:
 * then the step goes on. Left red too often, it goes on to its review: the end decides.
 */
export async function isSentBack(run: Run, step: StepRecord): Promise<boolean> {
  const due = listHooks(run).filter(([, { when }]) => when === 'after-step');
  const red = await runHooks(run, due, step.id);
  const most = red.some(({ hook }) => hook.required) ? maxReturns : 1;
  const { sentBack = 0 } = step;
  if (red.length === 0 || sentBack >= most) return false;
  step.sentBack = sentBack + 1;
  step.notes.push(...red.flatMap(({ notes }) => notes ?? []));
  delete step.claim;
  return true;
}

/** Every hook on the work as it is now. `replan` when a required one failed: the next plan is to fix that. */
export async function passHooks(run: Run): Promise<'passed' | 'replan'> {
  const due = listHooks(run).filter(([place]) => !isKnownGreen(run, place));
  const red = (await runHooks(run, due, atEnd)).filter(({ hook }) => hook.required);
  if (red.length === 0) return 'passed';
  const names = red.map(({ hook }) => hook.name).join(', ');
  giveUpPlan(run, ...red.flatMap(({ notes }) => notes ?? []));
  run.state.refusal = `Required hooks failed: ${names}.`;
  return 'replan';
}

/** How every hook came out last, for the run's result; undefined for runs without. */
export function endHooks({ state: { hooks, hookResults = {} } }: Run): HookEnd[] | undefined {
  return hooks?.hooks.map(({ name, required }, place) => {
    const result = hookResults[place];
    const state = result === undefined ? 'not-run' : result.ok ? 'green' : 'red';
    return { name, required, state };
  });
}

const listHooks = ({ state }: Run): [place: number, hook: HookInForce][] => [
  ...(state.hooks?.hooks ?? []).entries(),
];

/** Green on exactly what the workspace holds now. */
function isKnownGreen({ state }: Run, place: number): boolean {
  const result = state.hookResults?.[place];
  return result?.ok === true && result.tree !== undefined && result.tree === state.tree;
}

/** In their order; what one changes the next one finds. Returns those that came out red. */
async function runHooks(
  run: Run,
  due: readonly [number, HookInForce][],
  step: string,
): Promise<RedHook[]> {
  const { state } = run;
  const red: RedHook[] = [];
  for (const [place, hook] of due) {
    await waitWhilePaused(run);
    const order = { step, call: hook.call, hook: hook.name };
    const { ok, notes, ms } = (await perform(run, order)).result;
    state.usage.workMs += ms;
    const { tree } = run.worktree.state;
    state.hookResults = { ...state.hookResults, [place]: { ok, tree } };
    if (!ok) red.push({ hook, notes });
  }
  return red;
}
