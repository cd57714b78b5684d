/** What a fork takes over from another run's state. */
import type { RunState } from '../../workflows/state.ts';
import { toFreshStep } from '../../workflows/state.ts';

/** The state with the step and its successors still to be done. */
export const toStart = (state: RunState, id: string): RunState => ({
  ...withoutOrigin(state),
  steps: state.steps.map((step) =>
    step.state === 'done' && step.id !== id ? step : toFreshStep(step),
  ),
});

/** Another goal needs another plan; the planner is told what has been done. */
export const toNewPlan = (state: RunState): RunState => {
  const rest = withoutOrigin(state);
  delete rest.plan;
  // Said about the other goal.
  delete rest.words;
  const done = state.steps.flatMap(({ title, claim }) =>
    claim === undefined ? [] : [`${title}: ${claim}`],
  );
  return { ...rest, steps: [], achieved: [...state.achieved, ...done] };
};

function withoutOrigin(state: RunState): RunState {
  const copy = { ...state };
  delete copy.arrived;
  delete copy.rewind;
  return copy;
}
