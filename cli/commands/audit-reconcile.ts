import { existsSync } from 'node:fs';
import type { Discrepancy } from '../../audit/verify/reconcile.ts';
import { reconcileRun } from '../../audit/verify/reconcile.ts';
import { readSettings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { connectFor, parseRun, toUnknownRun, withClient } from '../../client/connect.ts';
import { plural } from '../render/render.ts';

const said = {
  missing: 'is missing from the mirror',
  extra: 'is in the mirror and not in Temporal',
  different: 'is another one in Temporal than in the mirror',
} as const satisfies Record<Discrepancy['kind'], string>;

/** `agent audit reconcile`: compares a run's mirror with Temporal, event by event. Exit 1 if they differ. */
export const command = defineCommand({
  example: `agent audit reconcile brave-otter-4f2a`,
  async run({ args, json }) {
    const settings = readSettings();
    const run = parseRun(args[0]);
    const file = toRunLog(settings.folders.root, run);
    if (!existsSync(file)) throw await toUnknownRun(settings, run);
    const client = await connectFor(settings, run, printProgress);
    const result = await withClient(client, () =>
      reconcileRun({ file, readHistory: (execution) => client.fetchHistory(run, execution) }),
    );
    const { executions, compared, findings, notes } = result;
    const equal = findings.length === 0;
    if (json) printJson({ ok: equal, run, ...result });
    else {
      for (const note of notes) printText(stripControls(`· ${note}`));
      for (const { kind, execution, event, type } of findings) {
        printText(stripControls(`✗ execution ${execution}, event ${event} ${type} ${said[kind]}`));
      }
      const looked = `${plural(compared, 'event')} in ${plural(executions, 'execution')} of run ${run}`;
      printText(
        equal
          ? `✓ ${looked}: the mirror and Temporal agree.`
          : `${looked} compared: ${plural(findings.length, 'finding')}.`,
      );
    }
    return equal ? 0 : 1;
  },
});
