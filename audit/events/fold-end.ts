/** Events about a run's end. */
import type { RunInput, RunResult } from '../../workflows/contract.ts';
import type { Fact } from './facts.ts';
import type { ProjectionState } from './projection-state.ts';
import { toResume } from './resume.ts';
import type { RunEventBody } from './run-event.ts';

type End = Extract<Fact, { kind: 'ended' }>;

/** For a run terminated from outside, which could not report its result. */
const toResult = ({ usage }: ProjectionState, { status, why }: End): RunResult => ({
  status,
  exitCode: status === 'cancelled' ? 130 : 1,
  summary: why,
  usage: { ...usage },
  changes: [],
});

/** A run terminated from outside does not report its stage. */
function toStaged(
  input: RunInput | undefined,
  { staged, status }: RunResult,
): Extract<RunEventBody, { type: 'run.finished' }>['staged'] {
  if (input?.stagedFrom === undefined) return undefined;
  const told = staged ?? { target: input.stagedFrom, state: 'waiting' };
  if (told.state === 'promoted') return told;
  return { ...told, promote: `agent promote ${input.run}${status === 'done' ? '' : ' --force'}` };
}

export function foldEnd(state: ProjectionState, end: End): RunEventBody[] {
  state.finished = true;
  const { result = toResult(state, end) } = end;
  const staged = toStaged(state.input, result);
  const resume = toResume(state.input, result.status);
  return [{ type: 'run.finished', ...result, resume, staged }];
}
