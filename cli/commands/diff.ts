import { readSettings } from '../../config/environment.ts';
import { stepOption } from '../values.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderIgnored } from '../render/render.ts';
import { parseRun } from '../../client/connect.ts';
import { askSnapshots } from '../../client/snapshots.ts';
import { findStep, readRunTrail } from '../../client/events/trail.ts';

/** `agent diff`: what a run, or one of its steps, changed in the workspace. */
export const command = defineCommand({
  options: {
    step: { ...stepOption, help: 'only this step, such as 2 or s2' },
    ignored: { help: 'include files that git ignores' },
  },
  example: `agent diff brave-otter-4f2a --step 2`,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    const trail = await readRunTrail(settings, run);
    const typed = options.step;
    const step = typed === undefined ? undefined : findStep(trail, typed);
    const before = step?.before ?? trail.base ?? '';
    const after = step?.after ?? trail.tree ?? before;
    const all = options.ignored === true;
    const { changes, ignored, diff } = await askSnapshots({
      what: 'diff',
      run,
      workspace: trail.input.workspace,
      before,
      after,
      ignored: all ? true : undefined,
    });
    if (json) {
      printJson({ run, before, after, changes, ignored, diff });
      return 0;
    }
    if (changes.length > 0) printText(stripControls(diff.trimEnd()));
    else if (ignored.length === 0) printProgress('Nothing was changed.');
    if (ignored.length > 0 && !all) {
      const same = typed === undefined ? '' : ` --step ${typed}`;
      printProgress(renderIgnored(run, ignored.length, same));
    }
    return 0;
  },
});
