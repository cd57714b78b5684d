/** Many runs at once, each in a folder of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { ensureOperatorKey } from '../../audit/record/keys/approvers.ts';
import { toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { toStateFolders } from '../../config/folders.ts';
import type { AgentRun, RunInput } from '../../workflows/contract.ts';
import { toQueues, toWorkflowId, workflowType } from '../../workflows/names.ts';
import type { RunHandle } from '../setup/agent.ts';
import type { Machine } from '../setup/cli.ts';
import { toOrdered } from '../setup/orders.ts';

export interface Crowd {
  readonly start: (run: string, workspace: string) => Promise<RunHandle>;
  /** Holds the folders. */
  readonly root: string;
}

/** Starts runs by hand, on the worker of a stack. */
export const startThrough =
  (
    client: Client,
    baseUrl: string,
    { root, state }: Pick<Machine, 'root' | 'state'>,
  ): Crowd['start'] =>
  async (run, workspace) => {
    const choice = { model: 'scripted', baseUrl };
    const config = { XDG_CONFIG_HOME: join(root, 'config') };
    const key = await ensureOperatorKey(toKeyFile(config, 'operator'));
    const { mirror: inbox } = toStateFolders(state);
    const queues = toQueues('dev-agent', hostname());
    const workflowId = toWorkflowId(run);
    // As the command does, so that the mirror need not find it.
    mkdirSync(inbox, { recursive: true, mode: 0o700 });
    writeFileSync(join(inbox, workflowId), '');
    const input: RunInput = {
      run,
      workspace,
      queues,
      goal: 'measure',
      limits: {},
      approve: 'ask',
      by: 'bench',
      models: { planner: choice, executor: choice, reviewer: choice },
      started: new Date().toISOString(),
    };
    return await client.workflow.start<AgentRun>(workflowType, {
      workflowId,
      taskQueue: queues.run,
      args: [toOrdered(key, input)],
    });
  };

/** Starts runs `<name>-0`, `<name>-1` …, whose folders hold a file of so many lines. */
export const startCrowd = (
  { start, root }: Crowd,
  { name, runs, lines }: { readonly name: string; readonly runs: number; readonly lines: number },
): Promise<RunHandle[]> =>
  Promise.all(
    Array.from({ length: runs }, (_, index) => {
      const run = `${name}-${index}`;
      const workspace = join(root, run);
      mkdirSync(workspace, { recursive: true });
      writeFileSync(join(workspace, 'lines.txt'), 'a line of the file\n'.repeat(lines));
      return start(run, workspace);
    }),
  );

export type Handles = readonly RunHandle[];

/** Waits for the end of all. @throws when one did not end well. */
export async function waitForCrowd(handles: Handles): Promise<void> {
  for (const result of await Promise.all(handles.map((handle) => handle.result())))
    if (result.status !== 'done') throw new Error(result.summary);
}

/** Activities of one of them; all are alike. */
export async function countActivities([handle]: Handles): Promise<number> {
  const { events } = (await handle?.fetchHistory()) ?? {};
  return (events ?? []).filter((event) => event.activityTaskCompletedEventAttributes).length;
}
