import type { ActResult } from '../activities/contract/act.ts';
import type { ModelOutcome } from '../activities/contract/model.ts';
import type { Budget } from '../policies/action.ts';
import { RunEnd } from './failures.ts';
import type { RunBudget } from './budgets.ts';
import {
  isNearlyUsedUp,
  isOfTool,
  isUsedUp,
  readBudgets,
  renderLimit,
  renderBudget,
} from './budgets.ts';
import type { Run } from './live-run.ts';
import { limitsOf } from './live-run.ts';
import * as usage from './usage.ts';

/** Call before each step and model call. @throws RunEnd `budget` if one of these limits is reached. */
export function checkBudget(run: Run, ...names: readonly RunBudget[]): void {
  check(run, ({ name }) => names.some((each) => each === name));
}

/** The same before each action, with its tool's limits. */
export function checkActionBudget(run: Run, tool: string): void {
  const names = ['tool_calls', 'minutes', 'run_output_bytes'];
  check(run, (budget) => names.includes(budget.name) || isOfTool(budget, tool));
}

function check(run: Run, isAbout: (budget: Budget) => boolean): void {
  const budgets = readBudgets(run.state.usage, limitsOf(run));
  const spent = budgets.find((budget) => isAbout(budget) && isUsedUp(budget));
  if (spent !== undefined)
    throw new RunEnd('budget', `The run has used up its ${renderLimit(spent)}.`, spent);
}

const toKey = ({ name, limit }: Budget): string => `${name} ${limit}`;

/** Limits almost reached that the model has not been told of: once each, and again after they were raised. */
export function takeWarnings(run: Run): Budget[] {
  const { state } = run;
  const near = readBudgets(state.usage, limitsOf(run)).filter(
    (budget) => isNearlyUsedUp(budget) && state.warnings?.includes(toKey(budget)) !== true,
  );
  if (near.length > 0) state.warnings = [...(state.warnings ?? []), ...near.map(toKey)];
  return near;
}

export const renderWarning = (near: readonly Budget[]): string =>
  `Of the budget, ${near.map(renderBudget).join(' and ')} are used. Finish what matters most, then stop.`;

export const countModel = ({ state }: Run, outcome: ModelOutcome<unknown>): void =>
  usage.countModel(state.usage, state.prices, outcome);

export const countAction = ({ state }: Run, tool: string, result: ActResult): void =>
  usage.countAction(state.usage, tool, result);
