import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderIgnored } from '../render/render.ts';
import { textOf } from '../run-options.ts';
import { parseRun } from '../../client/connect.ts';
import { askSnapshots } from '../../client/snapshots.ts';
import { findStep, readRunTrail } from '../../client/events/trail.ts';

/** `agent diff`: what a run, or one of its steps, changed in the workspace. */
export async function showDiff({ args, flags }: Invocation): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const trail = await readRunTrail(settings, run);
  const typed = textOf(flags, 'step');
  const step = typed === undefined ? undefined : findStep(trail, typed);
  const before = step?.before ?? trail.base ?? '';
  const after = step?.after ?? trail.tree ?? before;
  const all = flags['ignored'] === true;
  const { changes, ignored, diff } = await askSnapshots({
    what: 'diff',
    run,
    workspace: trail.input.workspace,
    before,
    after,
    ignored: all ? true : undefined,
  });
  if (flags['json'] === true) {
    printJson({ run, before, after, changes, ignored, diff });
    return 0;
  }
  if (changes.length > 0) printText(stripControls(diff.trimEnd()));
  else if (ignored.length === 0) printProgress('Nothing was changed.');
  if (ignored.length > 0 && !all) {
    const options = typed === undefined ? '' : ` --step ${typed}`;
    printProgress(renderIgnored(run, ignored.length, options));
  }
  return 0;
}
