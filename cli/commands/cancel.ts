import { parseRun } from '../../client/connect.ts';
import { readSettings } from '../../config/environment.ts';
import { toLine } from '../clean.ts';
import { defineCommand } from '../command.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { steer } from '../steer.ts';

/** `agent cancel`: ends the run; its changes stay. */
export const command = defineCommand({
  options: { force: { help: 'end a run that is stuck, and release its folder' } },
  example: 'agent cancel brave-otter-4f2a',
  async run(invocation) {
    const { args, options, json } = invocation;
    return await (options.force
      ? force(parseRun(args[0]), json)
      : steer(invocation, 'cancel', 'is asked to stop'));
  },
});

async function force(run: string, json: boolean): Promise<number> {
  const { endByForce } = await import('../../client/force.ts');
  const ended = await endByForce(readSettings(), run, printProgress);
  const { before, recorded, freed, problems } = ended;
  const was = before === 'open' ? undefined : before;
  if (json) printJson({ run, ended: was === undefined, was, recorded, freed, problems });
  else {
    printText(renderEnd(run, before));
    for (const folder of freed) printText(`  free again: ${toLine(folder, 400)}`);
    printText(`  its changes stay; to revert them: agent undo ${run}`);
  }
  if (!recorded)
    printProgress(`Its record is not closed yet: the mirror does that as soon as it runs.`);
  for (const problem of problems) printProgress(`Not put away: ${toLine(problem, 400)}`);
  return problems.length === 0 ? 0 : 1;
}

function renderEnd(run: string, before: string): string {
  if (before === 'open') return `Run ${run} was ended by force.`;
  if (before === 'lost')
    return `Temporal does not know run ${run} any more; nothing of it is left running.`;
  return `Run ${run} had ended already: ${before}. What it may have left was cleaned up.`;
}
