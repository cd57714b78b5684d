/** A machine under fault injection: the real CLI and stack, armed failpoints, and what must hold after every fault. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readChain } from '../../audit/chain.ts';
import type { RunEvent } from '../../audit/events.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';
import { describeWorkspace, mutations, prepareWorkspace, script } from './workload.ts';

export interface World {
  readonly machine: Machine;
  readonly model: ModelServer;
  /** Ends the process that passes the point next; `after` passes are survived. */
  arm(point: string, after?: number): void;
  /** True once the armed point has ended a process. */
  hasHit(point: string): boolean;
  /** Starts the workload in a fresh folder. */
  begin(id: string): Running;
  stop(): Promise<void>;
}

export interface Running {
  readonly id: string;
  readonly workspace: string;
  readonly started: Started;
  /** Waits for the run's end, if need be by another terminal, and checks every invariant. */
  check(): Promise<void>;
}

const patienceMs = 90_000;

export async function createWorld(): Promise<World> {
  const model = await startModelServer(script);
  const points = join(process.env['TMPDIR'] ?? '/tmp', `chaos-points-${process.pid}-${Date.now()}`);
  mkdirSync(points, { recursive: true });
  const machine = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_FAILPOINTS: points });
  const expected = join(machine.root, 'expected');

  const begin = (id: string): Running => {
    const workspace = join(machine.root, id);
    prepareWorkspace(workspace);
    const started = machine.start('run', '--json', '--id', id, '-C', workspace, 'Do the work');
    return { id, workspace, started, check: () => check({ id, workspace, started }) };
  };

  /** The run's last event, whatever became of the terminal that started it. */
  async function finish({ id, started }: Omit<Running, 'check'>): Promise<RunEvent | undefined> {
    const late = setTimeout(patienceMs, 'late' as const, { ref: false });
    const ended = await Promise.race([started.ended, late]);
    if (ended === 'late')
      throw new Error(`Run ${id} does not end: ${JSON.stringify(started.events.at(-1))}`);
    if (started.events.at(-1)?.type === 'run.finished') return started.events.at(-1);
    const again = machine.start('attach', id, '--json');
    const attached = await Promise.race([again.ended, late]);
    if (attached === 'late') throw new Error(`Run ${id} does not end.`);
    assert.equal(attached.code, 0, `attach ${id}: ${attached.stderr}`);
    return again.events.at(-1);
  }

  async function check(running: Omit<Running, 'check'>): Promise<void> {
    const { id, workspace } = running;
    const last = await finish(running);
    assert.equal(last?.type, 'run.finished');
    assert.equal(last.status, 'done', JSON.stringify(last));
    if (id !== 'expected') {
      assert.equal(describeWorkspace(workspace), describeWorkspace(expected), `workspace of ${id}`);
    }
    await waitForClose(machine, id);
    await checkOutcomes(machine, id);
    const verified = await machine.run('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
    checkLeft(machine, workspace);
  }

  const first = begin('expected');
  await first.check();
  return {
    ...{ machine, model, begin },
    arm: (point, passes = 0) => writeFileSync(join(points, point), String(passes)),
    hasHit: (point) => existsSync(join(points, `${point}.hit`)),
    async stop() {
      await machine.stop();
      await model.close();
    },
  };
}

/** The mirror has seen the run to its end, and holds each event once and in order. */
async function waitForClose({ state }: Machine, id: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const seen = new Map<string, number>();
    let closed = false;
    for await (const record of readChain(join(state, `run-${id}.jsonl`))) {
      if (record['kind'] === 'close') closed = true;
      if (record['kind'] !== 'event') continue;
      const execution = String(record['execution']);
      assert.equal(record['id'], (seen.get(execution) ?? 0) + 1, `event ids of ${id}`);
      seen.set(execution, record['id']);
    }
    if (closed) return;
    if (Date.now() > deadline) throw new Error(`The mirror of ${id} is not closed.`);
    await setTimeout(50);
  }
}

/** Each mutating call has one outcome in the audit log, and an intent before it. */
async function checkOutcomes({ state }: Machine, id: string): Promise<void> {
  const outcomes = new Map<number, number>();
  const intents = new Set<number>();
  for (const day of readdirSync(join(state, 'audit')).filter((name) => name.endsWith('.jsonl'))) {
    for await (const record of readChain(join(state, 'audit', day))) {
      if (record['run'] !== id || record['effect'] === 'pure') continue;
      const action = Number(record['action']);
      if (record['kind'] === 'intent') intents.add(action);
      if (record['kind'] !== 'outcome') continue;
      assert.ok(intents.has(action), `intent of action ${action} of ${id}`);
      outcomes.set(action, (outcomes.get(action) ?? 0) + 1);
    }
  }
  assert.deepEqual(
    [...outcomes.entries()].toSorted(([a], [b]) => a - b),
    Array.from({ length: mutations }, (_, index) => [index + 1, 1]),
    `outcomes of ${id}`,
  );
}

/** No process in the workspace, no lease of the run, no temporary file. */
function checkLeft({ state }: Machine, workspace: string): void {
  const leases = readdirSync(join(state, 'leases')).filter((name) => name.endsWith('.json'));
  const left = leases.filter((name) =>
    readFileSync(join(state, 'leases', name), 'utf8').includes(JSON.stringify(workspace)),
  );
  assert.deepEqual(left, [], 'leases left');
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(workspace);
    } catch {
      return false;
    }
  });
  assert.deepEqual(processes, [], 'processes left');
  const temporary = readdirSync(workspace, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?:\.tmp|\.lock)$|tmp_obj/.test(name),
  );
  assert.deepEqual(temporary, [], 'temporary files left');
}
