import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { usageError } from '../errors.ts';
import { printJson, printText } from '../render/output.ts';
import { parseRun } from '../../client/connect.ts';
import { askSnapshots, findPromotion } from '../../client/snapshots.ts';
import { readRunTrail } from '../../client/events/trail.ts';
import type { Left } from '../../workers/snapshots.ts';
import type { Trail } from '../../audit/events/trail.ts';

/** `agent undo`: reverts a run's changes; keeps and lists files that were changed since. */
export const command = defineCommand({
  example: `agent undo brave-otter-4f2a`,
  async run({ args, json }) {
    const run = parseRun(args[0]);
    const trail = await readRunTrail(readSettings(), run);
    if (!trail.ended) {
      throw usageError(
        `Run ${run} is still running. End it first (agent cancel ${run}), or rewind it to a step: agent rewind ${run} --step 1`,
      );
    }
    const { undone, kept, merged, left } = await askSnapshots({
      what: 'undo',
      run,
      ...(await toRange(trail)),
    });
    if (json) printJson({ run, undone, kept, merged, left });
    else {
      for (const path of undone) printText(toLine(`↩ ${path}`, 400));
      for (const path of kept) printText(toLine(`! ${path} was changed since, so it stays`, 400));
      for (const path of merged)
        printText(toLine(`↩ ${path}, keeping what was changed in it since`, 400));
      for (const each of left) printText(toLine(`! ${each.path} ${toWords(each)}`, 400));
      if ([undone, kept, merged, left].every((paths) => paths.length === 0))
        printText('There is nothing to revert.');
    }
    return 0;
  },
});

/** Too large for snapshots, or in an excluded folder. */
function toWords({ kind, to = '' }: Left): string {
  switch (kind) {
    case 'changed':
      return 'was changed, and no snapshot has the original: it stays as it is';
    case 'gone':
      return 'is gone, and no snapshot has it: it cannot be restored';
    case 'moved':
      return `is at ${to} now, and no snapshot has it: it stays there`;
    case 'new':
      return 'is new, and no snapshot has it: it stays as it is';
    case 'stays':
      return 'existed before the run, and no snapshot has the original: it stays as it is';
  }
}

type Range = Pick<Parameters<typeof askSnapshots>[0], 'workspace' | 'before' | 'after'>;

/** Only what was applied of a staged run can be reverted. @throws CliError if nothing was. */
async function toRange(trail: Trail): Promise<Range> {
  const { input, base = '', tree = base } = trail;
  const { run, workspace, stagedFrom } = input;
  if (stagedFrom === undefined) return { workspace, before: base, after: tree };
  const promotion = await findPromotion(trail);
  if (promotion !== undefined) {
    const { before, after } = promotion;
    return { workspace: stagedFrom, before, after };
  }
  throw usageError(
    `Run ${run} worked on a copy, and its changes were not applied to ${stagedFrom}: there is nothing to revert.`,
  );
}
