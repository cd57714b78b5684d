/**
 * Another user of the machine, who reaches Temporal's port and knows all that histories say. As a process of its own
 * (`node tests/setup/rogue.ts <address>`) it takes attacks as lines of JSON and answers each with a line.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { defaultPayloadConverter, rootCause } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { defineSignal } from '@temporalio/workflow';
import { schedule } from './rogue-workflows.ts';
import type { Got, Wanted } from './rogue-workflows.ts';

/** A workflow started on a queue of the agent's, with any input. */
export interface Start {
  readonly type: string;
  readonly workflowId: string;
  readonly queue: string;
  readonly args: readonly unknown[];
  readonly cron?: string;
}

export interface Rogue {
  /** Starts it and waits for its end: what it gave back, or why it failed. */
  start(attack: Start): Promise<unknown>;
  /** Has a workflow of the rogue's own, run by a worker of its own, schedule an activity. */
  act(attack: Omit<Start, 'queue'>, wanted: Wanted): Promise<Got>;
  /** The arguments a workflow was started with, as anybody can read them. */
  read(workflowId: string): Promise<readonly unknown[]>;
  /** Whatever arguments a signal takes. */
  signal(workflowId: string, name: string, args: readonly unknown[]): Promise<void>;
  /** Undefined when it was taken, else the refusal. */
  update(workflowId: string, name: string, arg: unknown): Promise<string | undefined>;
  stop(): Promise<void>;
}

const ownQueue = 'rogue';

export async function createRogue(address: string): Promise<Rogue> {
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const { workflow } = new Client({ connection });
  const worker = await Worker.create({
    connection: native,
    taskQueue: ownQueue,
    workflowsPath: fileURLToPath(new URL('rogue-workflows.ts', import.meta.url)),
    shutdownGraceTime: '0s',
  });
  const running = worker.run();
  const begin = async ({ type, workflowId, queue, args, cron }: Start) =>
    await workflow.start(type, {
      workflowId,
      taskQueue: queue,
      args: [...args],
      workflowIdConflictPolicy: 'TERMINATE_EXISTING',
      cronSchedule: cron,
    });
  return {
    async start(attack) {
      const handle = await begin(attack);
      try {
        return await handle.result();
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        return { failed: rootCause(error.cause) ?? '' };
      }
    },
    async act(attack, wanted) {
      const handle = await begin({ ...attack, queue: ownQueue });
      await handle.signal(schedule, wanted);
      return (await handle.result()) as Got;
    },
    async read(workflowId) {
      const { events } = await workflow.getHandle(workflowId).fetchHistory();
      const { input } = events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
      return (input?.payloads ?? []).map((each) => defaultPayloadConverter.fromPayload(each));
    },
    signal: (workflowId, name, args) =>
      workflow.getHandle(workflowId).signal(defineSignal<unknown[]>(name), ...args),
    async update(workflowId, name, arg) {
      try {
        const handle = workflow.getHandle(workflowId);
        await handle.executeUpdate<unknown, [unknown]>(name, { args: [arg] });
        return undefined;
      } catch (error) {
        return String((error as Error).cause ?? error);
      }
    },
    async stop() {
      worker.shutdown();
      await running;
      await native.close();
      await connection.close();
    },
  };
}

/** One line of `<method> <arguments as JSON>` at a time; a line of JSON comes back. */
async function answerLines(rogue: Rogue): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [method, args] = JSON.parse(line) as ['signal', Parameters<Rogue['signal']>];
    const got: unknown = await rogue[method](...args).catch((error: Error) => error.message);
    process.stdout.write(`${JSON.stringify(got ?? null)}\n`);
  }
  await rogue.stop();
}

if (import.meta.main) {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  await answerLines(await createRogue(process.argv[2] ?? ''));
}
