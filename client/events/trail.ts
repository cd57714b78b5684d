import { existsSync } from 'node:fs';
import type { Trail, TrailStep } from '../../audit/events/trail.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { invalid } from '../errors.ts';
import { toUnknownRun } from '../connect.ts';

/** A run's snapshots according to its log. @throws ClientError if there is no such run, or it kept none. */
export async function readRunTrail(settings: Settings, run: string): Promise<Trail> {
  const file = toRunLog(settings.folders.root, run);
  if (!existsSync(file)) throw await toUnknownRun(settings, run);
  const { readTrail } = await import('../../audit/events/trail.ts');
  const trail = await readTrail(file);
  if (trail?.base !== undefined) return trail;
  throw invalid(
    `Run ${run} has no snapshots yet: it has not opened its workspace. Look again in a moment: agent show ${run}`,
  );
}

/** Step ids as people type them: `2` is `s2`. */
export const toStepId = (typed: string): string => (/^\d+$/.test(typed) ? `s${typed}` : typed);

/** Finds a step as typed, `2` or `s2`, in the plan that last began it. @throws ClientError listing the steps. */
export function findStep({ steps, input }: Trail, typed: string): TrailStep {
  const id = toStepId(typed);
  const found = steps.findLast((step) => step.id === id);
  if (found !== undefined) return found;
  const known = steps.map((step) => step.id).join(', ');
  throw invalid(
    known === ''
      ? `No step of run ${input.run} has begun yet.`
      : `Run ${input.run} has not begun a step "${typed}"; begun are ${known}.`,
  );
}
