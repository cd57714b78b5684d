import { printProgress } from '../render/output.ts';
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { toNewPlan, toStart } from '../../audit/events/fork-state.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import type { RunInput } from '../../workflows/contract.ts';
import { defineCommand } from '../command.ts';
import { createRunId } from '../../client/run-id.ts';
import { takenId } from '../../client/errors.ts';
import { usageError } from '../errors.ts';
import { launchRun, readRunSettings } from '../launch.ts';
import { parseRun } from '../../client/connect.ts';
import { toStage } from '../../client/stage.ts';
import { findStep, readRunTrail } from '../../client/events/trail.ts';
import { runOptions, toLimits } from '../run-options.ts';
import { parseGoal, requireAllowed, stepOption } from '../values.ts';

/** `agent fork`: a new run from the start of a step, in a copy of the workspace; leaves the old run alone. */
export const command = defineCommand({
  options: {
    step: stepOption,
    ...runOptions,
    directory: { value: 'dir', short: 'C', help: 'folder of the copy; must not exist' },
  },
  example: `agent fork brave-otter-4f2a --step 2 -m qwen3 "the same, but in TypeScript"`,
  quote: true,
  streams: true,
  async run({ args, options, json }) {
    const origin = parseRun(args[0]);
    const typed = options.step;
    if (typed === undefined) throw usageError(`From which step? agent fork ${origin} --step 2`);
    const settings = readRunSettings(options);
    const trail = await readRunTrail(settings, origin);
    const step = findStep(trail, typed);
    const run = options.id ?? createRunId();
    if (existsSync(toRunLog(settings.folders.root, run))) throw takenId(run);
    const { input } = trail;
    const place =
      options.directory === undefined
        ? toCopy(settings, run, input)
        : { workspace: resolve(options.directory) };
    const { workspace } = place;
    requireAllowed(workspace, settings);
    if (existsSync(workspace))
      throw usageError(`${workspace} exists. Choose a folder for the copy that does not: -C dir`);
    const goal = args[1] === undefined ? undefined : parseGoal(args[1]);
    const began = step.together === undefined ? '' : `, and with it ${step.together.join(', ')}`;
    printProgress(`Copy ${workspace}, from the start of ${step.id} (${step.title})${began}`);
    const otherModel = options.model !== undefined || options.demo === true;
    return await launchRun(settings, options, json, {
      run,
      ...place,
      goal: goal ?? input.goal,
      limits: { ...input.limits, ...toLimits(options) },
      approve: options.approve ?? 'ask',
      // Keeps the same model unless another is given.
      models: otherModel ? undefined : input.models,
      from: {
        kind: 'fork',
        run: origin,
        step: step.id,
        workspace: input.workspace,
        tree: step.before,
      },
      carried: goal === undefined ? toStart(step.state, step.id) : toNewPlan(step.state),
    });
  },
});

/** Beside the folder; for a staged run, another stage with the same target folder. */
const toCopy = ({ folders }: Settings, run: string, { workspace, stagedFrom }: RunInput) =>
  stagedFrom === undefined
    ? { workspace: join(dirname(workspace), `${basename(workspace)}-${run}`) }
    : toStage(folders, run, stagedFrom);
