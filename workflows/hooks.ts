/** Guardrail hooks: commands no model requested or can change; while one fails, work does not count as done. */
import type { HookInForce } from '../activities/contract/hooks.ts';
import type { Ref } from '../activities/contract/refs.ts';
import { waitWhilePaused } from './control.ts';
import type { HookEnd } from './contract.ts';
import { perform } from './perform.ts';
import { giveUpPlan } from './reviewer.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';

/** How often a required hook returns a step to the model; others do so once. */
const maxReturns = 3;

/** Step name for hooks that run after all steps. */
const atEnd = 'end';

interface RedHook {
  readonly hook: HookInForce;
  /** What the model is told. */
  readonly notes?: Ref;
}

/**
 * Runs the hooks due after a finished step. True if one failed and the model should fix it: the step then continues.
 * After too many failures the step goes to its review anyway: the hooks at the end decide.
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

/** Runs every hook on the current work. `replan` if a required one failed: the next plan must fix that. */
export async function passHooks(run: Run): Promise<'passed' | 'replan'> {
  const due = listHooks(run).filter(([place]) => !isKnownGreen(run, place));
  const red = (await runHooks(run, due, atEnd)).filter(({ hook }) => hook.required);
  if (red.length === 0) return 'passed';
  const names = red.map(({ hook }) => hook.name).join(', ');
  giveUpPlan(run, ...red.flatMap(({ notes }) => notes ?? []));
  run.state.refusal = `Required hooks failed: ${names}.`;
  return 'replan';
}

/** Each hook's last result, for the run's result; undefined for runs without hooks. */
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

/** Passed on exactly the current workspace. */
function isKnownGreen({ state }: Run, place: number): boolean {
  const result = state.hookResults?.[place];
  return result?.ok === true && result.tree !== undefined && result.tree === state.tree;
}

/** In order; each sees the changes of the one before. Returns the failed ones. */
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
