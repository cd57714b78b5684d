/** How long a person waits. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../setup/temporal.ts';
import { readChain } from '../../audit/record/chain.ts';
import { findFreePort } from '../setup/time-skipping.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { median, pair, timeProcess } from './measure.ts';
import type { Environment, Row } from './measure.ts';

const agent = fileURLToPath(new URL('../../cli/agent.js', import.meta.url));
const importing = (name: string): string[] => [
  '--input-type=module',
  '-e',
  `import m from 'node:module'; m.enableCompileCache(); await import(${JSON.stringify(import.meta.resolve(name))});`,
];

export async function measureCommands(machine: Machine): Promise<Row[]> {
  const env: Environment = { ...process.env, AGENT_STATE_DIR: machine.state };
  const [help, node] = await pair(
    15,
    () => timeProcess([agent, '--help'], env),
    () => timeProcess(['-e', '0'], env),
  );
  const [list, client] = await pair(
    11,
    () => timeProcess([agent, 'list'], env),
    () => timeProcess(importing('@temporalio/client'), env),
  );
  return [
    { name: 'agent --help / node -e 0', ours: help, baseline: node, unit: 'ms', limit: 2.5 },
    {
      name: 'agent list / import of @temporalio/client',
      ours: list,
      baseline: client,
      unit: 'ms',
      limit: 1.7,
    },
  ];
}

/** Milliseconds from starting `agent run --demo` to the start of its first model activity, as Temporal recorded it. */
async function timeToFirstRequest(machine: Machine, id: string): Promise<number> {
  const workspace = join(machine.root, `ws-${id}`);
  await mkdir(workspace);
  const started = Date.now();
  const run = machine.start(
    'run',
    '--demo',
    '--json',
    '--id',
    id,
    '-C',
    workspace,
    'Describe this workspace',
  );
  const { code, stderr } = await run.ended;
  if (code !== 0) throw new Error(`agent run ended with ${code}: ${stderr}`);
  const file = join(machine.state, `run-${id}.jsonl`);
  for (let wait = 0; wait < 200; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const scheduled = new Set<number>();
    try {
      for await (const { event } of readChain(file)) {
        const {
          eventId,
          eventTime,
          activityTaskScheduledEventAttributes: made,
          activityTaskStartedEventAttributes: begun,
        } = (event ?? {}) as {
          eventId?: string;
          eventTime?: string;
          activityTaskScheduledEventAttributes?: { activityType?: { name?: string } };
          activityTaskStartedEventAttributes?: { scheduledEventId?: string };
        };
        if (made?.activityType?.name === 'plan') scheduled.add(Number(eventId));
        if (begun !== undefined && scheduled.has(Number(begun.scheduledEventId)))
          return Date.parse(eventTime ?? '') - started;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(`${file} never showed the first model activity.`);
}

/** Milliseconds from starting Temporal's dev server on a new file to its first answer. */
async function timeServer(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-bench-'));
  const port = await findFreePort();
  const cli = process.env['AGENT_TEMPORAL_CLI'] ?? 'temporal';
  const started = performance.now();
  const stop = await startServer(cli, port, ['--db-filename', join(folder, 'db')]);
  const ms = performance.now() - started;
  await stop();
  await rm(folder, { recursive: true, force: true });
  return ms;
}

export async function measureRuns(): Promise<Row[]> {
  const cold: number[] = [];
  const warm: number[] = [];
  const servers: number[] = [];
  const imports: number[] = [];
  const starts: number[] = [];
  for (let round = 0; round < 5; round++) {
    const machine = createMachine();
    try {
      const first = await timeToFirstRequest(machine, 'cold');
      const second = await timeToFirstRequest(machine, 'warm');
      const { stdout } = await machine.run('ps', '--json');
      const { temporal } = JSON.parse(stdout) as { temporal: string };
      const start = await timeProcess(startScript(temporal));
      if (round > 0) {
        cold.push(first);
        warm.push(second);
        starts.push(start);
      }
    } finally {
      await machine.stop();
    }
    servers.push(await timeServer());
    imports.push(await timeProcess(importing('@temporalio/worker')));
  }
  return [
    {
      name: 'run --demo, nothing running, to first model request / server + import of worker',
      ours: median(cold),
      baseline: median(servers) + median(imports),
      unit: 'ms',
      limit: 2,
    },
    {
      name: 'run --demo, stack up, to first model request / script that starts a workflow',
      ours: median(warm),
      baseline: median(starts),
      unit: 'ms',
      limit: 1.5,
    },
  ];
}

/** The least a program can do: import the client, connect, start a workflow. */
const startScript = (address: string): string[] => [
  '--input-type=module',
  '-e',
  `import m from 'node:module'; m.enableCompileCache();
   const { Client } = await import(${JSON.stringify(import.meta.resolve('@temporalio/client'))});
   const { connectTemporal } = await import(${JSON.stringify(import.meta.resolve('../../client/connection.ts'))});
   const connection = await connectTemporal({ address: ${JSON.stringify(address)} });
   await new Client({ connection }).workflow.start('nobody', { workflowId: 'bench-' + process.pid, taskQueue: 'nobody', args: [] });
   process.exit(0);`,
];
