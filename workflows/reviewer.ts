import { patched } from '@temporalio/workflow';
import type { ReviewAnswer } from '../activities/contract/model.ts';
import type { Ref } from '../activities/contract/refs.ts';
import type { InspectResult } from '../activities/contract/inspection.ts';
import { askModel } from './model.ts';
import { isReopened, mustListen, reopen } from './listen.ts';
import { endRound, isGivenUp, planAgain } from './rounds.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';
import { claimsOf } from './state.ts';
import { allSaid, toSaid } from './words.ts';

/** Attempts at a step before the planner is asked for another way. */
const maxAttempts = 3;

/** Reviews a finished step: accepted, retried, or in need of another plan. */
export async function reviewStep(
  run: Run,
  step: StepRecord,
): Promise<'accepted' | 'again' | 'replan'> {
  step.state = 'reviewing';
  const { verdict, notes } = await askReviewer(run, step);
  if (isGivenUp(run)) return 'replan';
  if (verdict === 'accept' && !mustListen(run, step)) {
    // A copy's work is not in the workspace yet.
    step.state = run.worktree.isCopy ? 'merging' : 'done';
    return 'accepted';
  }
  if (verdict === 'accept') {
    reopen(step);
    return 'again';
  }
  if (verdict === 'retry' && step.attempts < maxAttempts + (step.reopened ?? 0)) {
    step.state = 'waiting';
    step.notes.push(notes);
    delete step.claim;
    return 'again';
  }
  giveUpPlan(run, notes);
  return 'replan';
}

/**
 * Reviews the whole work. Returns the summary if accepted; otherwise the next round begins, or the last step continues
 * with what a person has said meanwhile.
 */
export async function reviewWork(run: Run): Promise<string | undefined> {
  if (isReopened(run)) return undefined;
  const inspected = patched('gate') ? await inspect(run) : undefined;
  const problems = inspected?.problems ?? [];
  const isAsked =
    problems.length > 0 &&
    (inspected?.mayBeWaived === true || toSaid(run.state).length > 0) &&
    patched('waived-by-the-person');
  if (problems.length > 0 && !isAsked) return refuse(run, problems);
  const given = isAsked ? problems : undefined;
  const review = await askReviewer(run, undefined, inspected?.findings, given);
  const left = isAsked ? (review.problems ?? problems) : [];
  if (left.length > 0) return isReopened(run) ? undefined : refuse(run, left);
  if (review.verdict !== 'accept') {
    giveUpPlan(run, review.notes);
    return undefined;
  }
  if (isReopened(run)) return undefined;
  const { steps } = run.state;
  const only = steps.length === 1 ? steps[0]?.claim : undefined;
  return only ?? claimsOf(run.state, 500).join('\n');
}

/** The gate's objections that no person waived: the next plan must fix them. */
function refuse(run: Run, problems: readonly string[]): undefined {
  planAgain(run, problems.join('\n'));
  run.state.refusal = problems.join(' ').slice(0, 1_000);
}

/** Starts the next round with another plan, whose planner is told what this one achieved and, in `notes`, why. */
export function giveUpPlan({ state }: Run, ...notes: readonly Ref[]): void {
  state.planNotes.push(...notes);
  endRound({ state });
}

/** The gate comes first: the model may rate the work lower, never higher. Undefined for runs without snapshots. */
async function inspect({ input, state, activities }: Run): Promise<InspectResult | undefined> {
  const { base, evidence, steps } = state;
  if (base === undefined) return undefined;
  return await activities.workspaceLong.inspectWork.executeWithOptions(
    { summary: 'inspect the work' },
    [
      {
        run: input.run,
        workspace: input.workspace,
        base,
        evidence,
        claims: [...state.achieved, ...steps.map(({ claim = '' }) => claim), ...allSaid(state)],
        goal: input.goal,
      },
    ],
  );
}

async function askReviewer(
  run: Run,
  step?: StepRecord,
  findings?: Ref,
  problems?: readonly string[],
): Promise<ReviewAnswer> {
  const { input, state, worktree } = run;
  const about = step === undefined ? {} : { step: step.id };
  return await askModel(run, { phase: 'reviewing', ...about }, () => {
    const said = toSaid(state);
    return run.activities.model.review.executeWithOptions(
      { summary: `review ${step?.title ?? 'the whole work'}` },
      [
        {
          run: input.run,
          goal: input.goal,
          model: input.models.reviewer,
          plan: state.plan ?? '',
          scope: step === undefined ? 'run' : 'step',
          said: said.length === 0 ? undefined : said,
          problems,
          claims: step === undefined ? claimsOf(state, 200) : [step.claim ?? ''],
          ...about,
          evidence: worktree.state.evidence,
          findings,
        },
      ],
    );
  });
}
