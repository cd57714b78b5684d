import { printProgress } from '../render/output.ts';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { toRunLog } from '../../config/folders.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { defineCommand } from '../command.ts';
import { createRunId } from '../../client/run-id.ts';
import { takenId } from '../../client/errors.ts';
import { launchRun, readRunSettings } from '../launch.ts';
import { toStage } from '../../client/stage.ts';
import { runOptions, toLimits } from '../run-options.ts';
import { parseGoal, readGoal, parseWorkspace } from '../values.ts';

/** `agent run`: starts a run and, unless detached, watches it to the end. */
export const command = defineCommand({
  options: { ...runOptions, stage: { help: 'work on a copy; agent promote applies the changes' } },
  example: 'agent run "Add a --version flag and a test for it"',
  quote: true,
  streams: true,
  async run({ args, options, json }) {
    const run = options.id ?? createRunId();
    const settings = readRunSettings(options, options.directory);
    const workspace = parseWorkspace(settings.workspace, settings);
    await checkHooks(workspace);
    const goal = await takeGoal(args[0] ?? '');
    if (existsSync(toRunLog(settings.folders.root, run))) throw takenId(run);
    prepareStateFolder(settings.folders.root);
    for (const notice of settings.notices) printProgress(`Note: ${notice}`);
    const place = options.stage ? toStage(settings.folders, run, workspace) : { workspace };
    return await launchRun(settings, options, json, {
      run,
      goal,
      ...place,
      limits: toLimits(options),
      approve: options.approve ?? 'ask',
      wait: options.wait,
    });
  },
});

/** Most workspaces have no `.agent`, and what parses hooks takes a tenth of a second to load. */
async function checkHooks(workspace: string): Promise<void> {
  if (lstatSync(join(workspace, '.agent'), { throwIfNoEntry: false }) === undefined) return;
  const { readHooks } = await import('../../config/hooks.ts');
  readHooks(workspace);
}

async function takeGoal(given: string): Promise<string> {
  if (given !== '-') return parseGoal(given);
  if (process.stdin.isTTY) printProgress('Type the goal, then Ctrl-D.');
  return parseGoal(await readGoal(process.stdin));
}
