/** Detaches from a run once it has its workspace, not before. */
import { printProgress } from './render/output.ts';
import { setTimeout } from 'node:timers/promises';
import type { RunView } from '../workflows/contract.ts';
import type { RunClient } from '../client/run-client.ts';
import { CliError } from './errors.ts';

const beginWithinMs = 15_000;
const askWithinMs = 3_000;
const lookMs = 100;

/**
 * Resolves once the run is working, waits for its workspace as told, or cannot begin for lack of a worker. @throws
 * CliError with the run's own exit code and reason if it ended at once, for example because another run has the folder.
 */
export async function leaveRun(client: RunClient, run: string): Promise<void> {
  const now = await waitForBegin(client, run);
  if (now === undefined)
    printProgress(`Run ${run} has not begun yet: no worker has taken it up. See: agent ps`);
  else if (now.phase === 'opening')
    printProgress(`Run ${run} is still looking at its workspace. Watch it: agent attach ${run}`);
  else if (now.phase === 'waiting-for-workspace')
    printProgress(`Run ${run} waits for its workspace, which run ${now.run} has.`);
  else if (now.phase === 'closed' && now.result.exitCode !== 0)
    throw new CliError(`Run ${run} has ended already: ${now.result.summary}`, now.result.exitCode);
}

/** Undefined if no worker answered in time. */
async function waitForBegin(client: RunClient, run: string): Promise<RunView['now'] | undefined> {
  const deadline = Date.now() + beginWithinMs;
  let last: RunView['now'] | undefined;
  for (let left = beginWithinMs; left > 0; left = deadline - Date.now()) {
    last = (await client.view(run, Math.min(left, askWithinMs)))?.now ?? last;
    if (last !== undefined && last.phase !== 'opening' && last.phase !== 'closing') return last;
    await setTimeout(lookMs);
  }
  return last;
}
