import type { Limits, Budget } from '../policies/action.ts';
import type { Run } from './live-run.ts';

/** The option of `agent run` and `agent fork` for a limit; others can be set only in the policy. */
const flags: Readonly<
  Partial<Record<string, readonly [flag: string, limit: Exclude<keyof Limits, 'perTool'>]>>
> = {
  steps: ['--max-steps', 'steps'],
  tool_calls: ['--max-tool-calls', 'toolCalls'],
  model_calls: ['--max-model-calls', 'modelCalls'],
  tokens: ['--max-tokens', 'tokens'],
  minutes: ['--max-minutes', 'minutes'],
  usd: ['--max-usd', 'usd'],
};

/** How to continue a run ended by a budget: raise the policy's or the run's own limit, then run the command. */
export function renderResumeHint({ input, state }: Run, { name, limit }: Budget): string {
  const begun = state.steps.find((step) => step.state !== 'done' && step.before !== undefined);
  const command =
    begun === undefined ? 'start it again' : `agent fork ${input.run} --step ${begun.id}`;
  const [flag, own] = flags[name] ?? [];
  const wanted = own === undefined ? undefined : input.limits[own];
  if (flag === undefined || wanted !== limit)
    return `Raise budgets.${name} in tools.yaml (agent policies reload), then: ${command}`;
  if (begun === undefined) return `To go on, start it again with a higher ${flag}.`;
  return `To go on: ${command} ${flag} ${Number((2 * limit).toPrecision(6))}`;
}
