import { authorize } from './authorize.ts';
import type { ActDependencies, ActOrder, Acted } from './call.ts';
import { execute } from './execute.ts';
import { record } from './record.ts';

/** Every exit is in the audit log. */
export async function performAction(
  dependencies: ActDependencies,
  order: ActOrder,
): Promise<Acted> {
  const call = await authorize(dependencies, order);
  const executed = await execute(call);
  return await record(call, executed);
}

/** Runs one tool call by hand, exactly as a run would, with nobody to approve it. */
export const invokeTool = (
  dependencies: ActDependencies,
  order: Pick<ActOrder, 'run' | 'tool' | 'args' | 'workspace'>,
): Promise<Acted> =>
  performAction(dependencies, {
    ...order,
    step: '',
    call: 'by-hand',
    signal: new AbortController().signal,
  });
