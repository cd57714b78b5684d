import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { stripControls } from '../clean.ts';
import { printJson, printText } from '../output.ts';
import { textOf } from '../run-options.ts';
import { parseRun, printProgress } from '../session.ts';
import { askSnapshots } from '../snapshots.ts';
import { findStep, readRunTrail } from '../trail.ts';

/** `agent diff`: what a run, or one of its steps, changed in the workspace. */
export async function showDiff({ args, flags }: Invocation): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const trail = await readRunTrail(settings, run);
  const typed = textOf(flags, 'step');
  const step = typed === undefined ? undefined : findStep(trail, typed);
  const before = step?.before ?? trail.base ?? '';
  const after = step?.after ?? trail.tree ?? before;
  const { changes, diff } = await askSnapshots({
    ...{ what: 'diff', run, workspace: trail.input.workspace, before, after },
  });
  if (flags['json'] === true) printJson({ run, before, after, changes, diff });
  else if (changes.length === 0) printProgress('Nothing was changed.');
  else printText(stripControls(diff.trimEnd()));
  return 0;
}
