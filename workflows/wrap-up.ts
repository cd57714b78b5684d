import { patched } from '@temporalio/workflow';
import { countModel } from './budget-checks.ts';
import { RunEnd } from './failures.ts';
import { renderResumeHint } from './resume-hint.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';
import { claimsOf } from './state.ts';
import { markRead, renderWord, unheard } from './words.ts';

/**
 * A budget is used up: the model gets one last turn, without tools, to say what is done and what is left. Does not wait
 * for an unreachable model.
 */
export async function wrapUp(run: Run, end: RunEnd): Promise<RunEnd> {
  if (!patched('wrap-up')) return end;
  const { steps } = run.state;
  const step = steps.find(
    ({ state, transcript }) => state === 'running' && transcript !== undefined,
  );
  const last = step === undefined ? '' : await askForLastWord(run, step, end.message);
  const unseen = steps.filter(({ state }) => state === 'reviewing');
  const left = steps.filter(({ state }) => state !== 'done' && state !== 'reviewing');
  return new RunEnd(
    'budget',
    [
      end.limit === undefined ? end.message : `${end.message} ${renderResumeHint(run, end.limit)}`,
      renderList('Done', claimsOf(run.state, 200)),
      step === undefined || last === '' ? '' : `In the middle of ${step.id}: ${last}`,
      renderList(
        'Finished, but not yet reviewed',
        unseen.map(({ id, claim = '' }) => `${id}: ${claim.slice(0, 200)}`),
      ),
      renderList(
        'Left',
        left.map(({ id, title }) => `${id} ${title}`),
      ),
    ]
      .filter((part) => part !== '')
      .join('\n\n'),
    end.limit,
  );
}

const renderList = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `${title}:\n${lines.map((line) => `- ${line}`).join('\n')}`;

async function askForLastWord(run: Run, step: StepRecord, why: string): Promise<string> {
  const { input, state } = run;
  enter(run, { phase: 'closing' });
  const words = unheard(state);
  const outcome = await run.activities.model.think.executeWithOptions(
    { summary: `${step.id}, last word` },
    [
      {
        run: input.run,
        goal: input.goal,
        model: input.models.executor,
        facts: state.facts ?? '',
        plan: state.plan ?? '',
        step: step.id,
        observations: step.observations,
        notes: [],
        said: words.map(renderWord),
        transcript: step.transcript,
        nudge: `${why} This is your last turn, and no more tools will run: call finish_step, and say in its summary what is done, what is left, and what the next person needs to know.`,
        lastWord: true,
      },
    ],
  );
  countModel(run, outcome);
  if (outcome.kind !== 'answer') return '';
  markRead(state, words);
  return outcome.answer.finish?.summary ?? outcome.answer.thought;
}
