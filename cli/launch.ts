/** Starts a run from the command line and watches it. */
import { startRun } from '../client/start.ts';
import type { Launch } from '../client/start.ts';
import { readRedactor } from '../client/secrets.ts';
import { readSettings } from '../config/environment.ts';
import type { Settings } from '../config/environment.ts';
import { toLine } from './clean.ts';
import { printJson, printProgress, printText } from './render/output.ts';
import type { RunOptions } from './run-options.ts';

/** Starts a run and, unless detached, watches it to the end. Returns the exit code. */
export async function launchRun(
  settings: Settings,
  { demo, detach }: RunOptions,
  json: boolean,
  launch: Launch,
): Promise<number> {
  const { run, workspace } = launch;
  tellSecrets(settings, launch.goal);
  const { client, webUi } = await startRun(settings, launch, {
    demo: demo === true,
    onProgress: printProgress,
  });
  try {
    if (detach) {
      const { leaveRun } = await import('./detach.ts');
      await leaveRun(client, run);
      if (json) printJson({ run, workspace, webUi });
      else printText(run);
      return 0;
    }
    printProgress(`Run ${run}${webUi === undefined ? '' : ` · ${webUi}`}`);
    const { watchRun } = await import('./watch.ts');
    return await watchRun({ client, settings, run, json, from: 1 });
  } finally {
    await client.close();
  }
}

function tellSecrets(settings: Settings, goal: string): void {
  const { text, count } = readRedactor(settings).redact(goal);
  if (count === 0) return;
  const [what, them] = count === 1 ? ['a secret', 'it'] : [`${count} secrets`, 'them'];
  printProgress(
    `Note: the goal has ${what} in it. The run does not get ${them}; it reads: ${toLine(text, 200)}`,
  );
}

/** `-m` sets every role and overrides per-role settings from the environment. */
export const readRunSettings = ({ model }: RunOptions, workspace?: string): Settings =>
  readSettings({ flags: { model, plannerModel: model, reviewerModel: model, workspace } });
