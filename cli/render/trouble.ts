import type { Trouble } from '../../client/trouble.ts';
import { toLine } from '../clean.ts';

/** Shown instead of the run's own status. */
export const toTroubledStatus = ({ what }: Trouble): 'failing' | 'retrying' =>
  what === 'workflow' ? 'failing' : 'retrying';

/** For people, with what they can do. */
export function renderTrouble(run: string, { what, name, attempt, error }: Trouble): string[] {
  const why = toLine(error === '' ? name : error, 400);
  return what === 'workflow'
    ? [
        `Run ${run} is stuck: its workflow fails (${toLine(name, 60)}, try ${attempt}): ${why}`,
        `  It continues by itself once a worker can run it. To give it up: agent cancel ${run} --force`,
      ]
    : [`Waiting: ${toLine(name, 40)} fails and is being retried (attempt ${attempt}): ${why}`];
}
