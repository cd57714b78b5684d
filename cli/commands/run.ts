import { printProgress } from '../render/output.ts';
import { existsSync } from 'node:fs';
import { toRunLog } from '../../config/folders.ts';
import { readHooks } from '../../config/hooks.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import type { Invocation } from '../arguments.ts';
import { takenId } from '../../client/errors.ts';
import { launchRun, readRunSettings } from '../launch.ts';
import {
  parseApprove,
  parseGoal,
  parseLimits,
  parseRunId,
  parseWorkspace,
  readGoal,
  textOf,
} from '../run-options.ts';
import { toStage } from '../../client/stage.ts';

/** `agent run`: starts a run and, unless detached, watches it to its end. */
export async function startRun({ args, flags }: Invocation): Promise<number> {
  const run = parseRunId(textOf(flags, 'id'));
  const approve = parseApprove(textOf(flags, 'approve'));
  const limits = parseLimits(flags);
  const settings = readRunSettings(flags);
  const workspace = parseWorkspace(settings.workspace, settings);
  readHooks(workspace);
  const goal = await takeGoal(args[0] ?? '');
  if (existsSync(toRunLog(settings.folders.root, run))) throw takenId(run);
  prepareStateFolder(settings.folders.root);
  for (const notice of settings.notices) printProgress(`Note: ${notice}`);
  const wait = flags['wait'] === true ? { wait: true as const } : {};
  const place = flags['stage'] === true ? toStage(settings.folders, run, workspace) : { workspace };
  return await launchRun(settings, flags, { run, goal, ...place, limits, approve, ...wait });
}

async function takeGoal(given: string): Promise<string> {
  if (given !== '-') return parseGoal(given);
  if (process.stdin.isTTY) printProgress('Type the goal, then Ctrl-D.');
  return parseGoal(await readGoal(process.stdin));
}
