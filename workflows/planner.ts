import { askModel } from './model.ts';
import { RunEnd } from './failures.ts';
import { maxRounds } from './rounds.ts';
import type { Run } from './live-run.ts';
import { toFreshStep } from './state.ts';
import { allSaid, markRead } from './words.ts';

/** Asks the planner for a plan and starts a round with it. */
export async function planGoal(run: Run): Promise<void> {
  const { state, input } = run;
  if (state.round >= maxRounds) {
    const why =
      state.refusal === undefined
        ? `The reviewer rejected the work of ${maxRounds} plans.`
        : `The work is not done after ${maxRounds} plans. ${state.refusal}`;
    throw new RunEnd('rejected', why);
  }
  state.round += 1;
  state.said = [];
  let heard = state.words ?? [];
  const answer = await askModel(run, { phase: 'planning' }, () => {
    heard = state.words ?? [];
    return run.activities.model.plan.executeWithOptions({ summary: `plan, round ${state.round}` }, [
      {
        run: input.run,
        goal: input.goal,
        model: input.models.planner,
        facts: state.facts ?? '',
        notes: state.planNotes,
        claims: state.achieved,
        said: allSaid(state),
        remarks: state.remarks,
      },
    ]);
  });
  markRead(state, heard);
  delete state.remarks;
  state.plan = answer.plan;
  state.thought = answer.approach;
  state.steps = answer.steps.map(toFreshStep);
}
