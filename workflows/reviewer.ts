import type { Ref, ReviewAnswer } from '../activities/contract.ts';
import { askModel } from './model.ts';
import { endRound } from './rounds.ts';
import type { Run, StepRecord } from './state.ts';
import { claimsOf } from './state.ts';

/** Times a step is tried before the planner is asked for another way. */
const mostAttempts = 3;

/** Judges a finished step: done, another try with notes, or a new plan. */
export async function reviewStep(run: Run, step: StepRecord): Promise<void> {
  step.state = 'reviewing';
  const review = await askReviewer(run, step);
  if (review.verdict === 'accept') {
    // What was done in a copy is not in the workspace yet.
    step.state = run.isLane === true ? 'merging' : 'done';
    return;
  }
  if (review.verdict === 'retry' && step.attempts < mostAttempts) {
    step.state = 'waiting';
    step.notes.push(review.notes);
    delete step.claim;
    return;
  }
  giveUpPlan(run, review.notes);
}

/** Judges the whole work. Returns the summary when it is accepted; otherwise the next round begins. */
export async function reviewWork(run: Run): Promise<string | undefined> {
  const review = await askReviewer(run);
  if (review.verdict !== 'accept') {
    giveUpPlan(run, review.notes);
    return undefined;
  }
  const { steps } = run.state;
  const only = steps.length === 1 ? steps[0]?.claim : undefined;
  return only ?? claimsOf(run.state, 500).join('\n');
}

/** The next round begins with another plan, which is told what this one achieved; `notes` say why. */
export function giveUpPlan({ state }: Run, ...notes: readonly Ref[]): void {
  state.planNotes.push(...notes);
  endRound({ state });
}

async function askReviewer(run: Run, step?: StepRecord): Promise<ReviewAnswer> {
  const { input, state } = run;
  const about = step === undefined ? {} : { step: step.id };
  return await askModel(run, { phase: 'reviewing', ...about }, () =>
    run.activities.model.review.executeWithOptions(
      { summary: `review ${step?.title ?? 'the whole work'}` },
      [
        {
          run: input.run,
          goal: input.goal,
          model: input.models.reviewer,
          plan: state.plan ?? '',
          scope: step === undefined ? 'run' : 'step',
          claims: step === undefined ? claimsOf(state, 200) : [step.claim ?? ''],
          ...about,
          ...(state.evidence === undefined ? {} : { evidence: state.evidence }),
        },
      ],
    ),
  );
}
