import { printProgress } from '../render/output.ts';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { toNewPlan, toStart } from '../../audit/events/fork-state.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import type { RunInput } from '../../workflows/contract.ts';
import type { Invocation } from '../arguments.ts';
import { takenId } from '../../client/errors.ts';
import { usageError } from '../errors.ts';
import { launchRun, readRunSettings } from '../launch.ts';
import {
  parseApprove,
  parseGoal,
  parseLimits,
  parseRunId,
  requireAllowed,
  textOf,
} from '../run-options.ts';
import { parseRun } from '../../client/connect.ts';
import { toStage } from '../../client/stage.ts';
import { findStep, readRunTrail } from '../../client/events/trail.ts';

/** `agent fork`: a new run from the start of a step, in a copy of the workspace; the old one is left alone. */
export async function forkRun({ args, flags }: Invocation): Promise<number> {
  const origin = parseRun(args[0]);
  const typed = textOf(flags, 'step');
  if (typed === undefined) throw usageError(`From which step? agent fork ${origin} --step 2`);
  const { directory: given, ...others } = flags;
  const settings = readRunSettings(others);
  const trail = await readRunTrail(settings, origin);
  const step = findStep(trail, typed);
  const run = parseRunId(textOf(flags, 'id'));
  if (existsSync(toRunLog(settings.folders.root, run))) throw takenId(run);
  const { input } = trail;
  const place =
    typeof given === 'string' ? { workspace: resolve(given) } : toCopy(settings, run, input);
  const { workspace } = place;
  requireAllowed(workspace, settings);
  if (existsSync(workspace))
    throw usageError(`${workspace} exists. Choose a folder for the copy that does not: -C dir`);
  const goal = args[1] === undefined ? undefined : parseGoal(args[1]);
  const began = step.together === undefined ? '' : `, and with it ${step.together.join(', ')}`;
  printProgress(`Copy ${workspace}, from the start of ${step.id} (${step.title})${began}`);
  const model = textOf(flags, 'model') === undefined && flags['demo'] !== true;
  return await launchRun(settings, flags, {
    run,
    ...place,
    goal: goal ?? input.goal,
    limits: { ...input.limits, ...parseLimits(flags) },
    approve: parseApprove(textOf(flags, 'approve')),
    // Without another model wanted, the same one goes on.
    models: model ? input.models : undefined,
    from: {
      kind: 'fork',
      run: origin,
      step: step.id,
      workspace: input.workspace,
      tree: step.before,
    },
    carried: goal === undefined ? toStart(step.state, step.id) : toNewPlan(step.state),
  });
}

/** Beside the folder; of a staged run's copy in another stage, with the same folder to bring its change to. */
const toCopy = ({ folders }: Settings, run: string, { workspace, stagedFrom }: RunInput) =>
  stagedFrom === undefined
    ? { workspace: join(dirname(workspace), `${basename(workspace)}-${run}`) }
    : toStage(folders, run, stagedFrom);
