import { authorize } from './authorize.ts';
import type { ActDependencies, ActOrder, Acted } from './call.ts';
import { execute } from './execute.ts';
import { record } from './record.ts';

/** Every way out is in the audit log. */
export async function performAction(
  dependencies: ActDependencies,
  order: ActOrder,
): Promise<Acted> {
  const call = await authorize(dependencies, order);
  const executed = await execute(call);
  return await record(call, executed);
}

/** One tool call by hand, exactly as a run would make it, with nobody to approve. */
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
