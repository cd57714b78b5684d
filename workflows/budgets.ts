import type { Usage } from '../activities/contract.ts';
import { RunEnd } from './failures.ts';
import type { Run } from './state.ts';
import { limitsOf } from './state.ts';

const spent = ({ state: { usage } }: Run) => ({
  steps: usage.steps,
  toolCalls: usage.toolCalls,
  tokens: usage.inputTokens + usage.outputTokens,
  minutes: usage.workMs / 60_000,
});

const words = {
  steps: 'steps',
  toolCalls: 'tool calls',
  tokens: 'tokens',
  minutes: 'minutes of work',
} as const;
const kinds = ['steps', 'toolCalls', 'tokens', 'minutes'] as const;

/**
 * Called before each model call and each action. What is already paid for is used: only the next thing is refused.
 * @throws RunEnd `budget` when a limit is reached; at 80 % the model is told once.
 */
export function checkBudget(run: Run, ...about: readonly (typeof kinds)[number][]): void {
  const limits = limitsOf(run);
  const used = spent(run);
  for (const kind of about) {
    if (used[kind] >= limits[kind]) {
      throw new RunEnd(
        'budget',
        `The run has used its ${limits[kind]} ${words[kind]}. Start it again with a higher limit, or raise it in policies/tools.yaml.`,
      );
    }
  }
  if (run.state.warned) return;
  const near = kinds.find((kind) => kind !== 'steps' && used[kind] >= 0.8 * limits[kind]);
  if (near === undefined) return;
  run.state.warned = true;
  run.state.nudge = `${Math.floor(used[near])} of ${limits[near]} ${words[near]} are used. Finish what matters most and wrap up.`;
}

export function countModel({ state: { usage } }: Run, tokens: Usage, ms: number): void {
  usage.inputTokens += tokens.inputTokens;
  usage.outputTokens += tokens.outputTokens;
  usage.workMs += ms;
}

export function countAction({ state: { usage } }: Run, ms: number): void {
  usage.toolCalls += 1;
  usage.workMs += ms;
}
