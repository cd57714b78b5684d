import { patched } from '@temporalio/workflow';
import { countModel } from './budgets.ts';
import { RunEnd } from './failures.ts';
import { enter } from './show.ts';
import type { Run, StepRecord } from './state.ts';
import { claimsOf } from './state.ts';

/**
 * A budget is used up: the model gets one last turn, without tools, to say what is done and what is left. A model that is
 * away is not waited for.
 */
export async function wrapUp(run: Run, end: RunEnd): Promise<RunEnd> {
  if (!patched('wrap-up')) return end;
  const step = run.state.steps.find(
    ({ state, transcript }) => state === 'running' && transcript !== undefined,
  );
  const last = step === undefined ? '' : await askForLastWord(run, step, end.message);
  const done = claimsOf(run.state, 200);
  return new RunEnd(
    'budget',
    [
      end.message,
      ...(done.length === 0 ? [] : [`Done:\n${done.map((line) => `- ${line}`).join('\n')}`]),
      ...(step === undefined || last === '' ? [] : [`In the middle of ${step.id}: ${last}`]),
    ].join('\n\n'),
  );
}

async function askForLastWord(run: Run, step: StepRecord, why: string): Promise<string> {
  const { input, state } = run;
  enter(run, { phase: 'closing' });
  const outcome = await run.activities.model.think.executeWithOptions(
    { summary: `${step.id}, last word` },
    [
      {
        ...{ run: input.run, goal: input.goal, model: input.models.executor },
        ...{ facts: state.facts ?? '', plan: state.plan ?? '', step: step.id },
        ...{ observations: step.observations, notes: [], said: [] },
        ...(step.transcript === undefined ? {} : { transcript: step.transcript }),
        nudge: `${why} This is your last turn, and no tool runs any more: call finish_step, and say in its summary what is done, what is left, and what whoever goes on should know.`,
        lastWord: true,
      },
    ],
  );
  if (outcome.kind !== 'answer') return '';
  countModel(run, outcome.usage, outcome.ms, outcome.model);
  return outcome.answer.finish?.summary ?? outcome.answer.thought;
}
