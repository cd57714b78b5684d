/** A machine under fault injection: the real CLI and stack, armed failpoints, and what must hold after every fault. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { RunEvent } from '../../audit/events/events.ts';
import { readStartTime } from '../../config/process.ts';
import type { StackFile, StackPart } from '../../config/stack.ts';
import { startModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';
import { checkLeft, checkOutcomes, checkRest, waitForMirror } from './checks.ts';
import { describeWorkspace, mutations, prepareWorkspace, script, toWords } from './workload.ts';
import type { Workload } from './workload.ts';
import { waitFor } from '../setup/wait-for.ts';

export type Victim = StackPart['name'] | 'terminal';

export interface World {
  readonly machine: Machine;
  /** Ends the process that passes the point next; `after` passes are survived. */
  arm(point: string, after?: number): void;
  /** When the armed point has ended a process; undefined if it has not. */
  hitAt(point: string): number | undefined;
  /** Takes back every armed point and forgets what was hit. */
  disarm(): void;
  /** Starts the workload in a fresh folder, or in `workspace`. */
  begin(id: string, workload?: Workload, workspace?: string): Running;
  /** Does a workload without faults, to know what it leaves. */
  learn(workload: Workload): Promise<void>;
  /** Pid of a part of the stack, as `stack.json` says; undefined when it does not run. */
  pidOf(name: StackPart['name']): number | undefined;
  /** Closes the model server, and opens it again at the same address. */
  closeModel(): Promise<void>;
  openModel(): Promise<void>;
  /** Ends the stack, checks that nothing of it is left, and removes the folder. */
  stop(): Promise<void>;
  /** Ends the stack and keeps the folder for a look, unless `stop` has removed it. */
  keep(): Promise<string>;
  /** Another world that knows the same results. */
  another(options?: WorldOptions): Promise<World>;
}

export interface Running {
  readonly id: string;
  readonly workspace: string;
  /** The terminal that began it. */
  readonly started: Started;
  /** Waits until so many tool calls have finished; at once when the terminal is gone. */
  progress(calls: number): Promise<void>;
  /** Waits for the run's end, if need be by another terminal, and returns its last event. */
  finish(patienceMs?: number): Promise<RunEvent>;
  /** Waits for the run's end and checks every invariant. */
  check(patienceMs?: number): Promise<void>;
  /** Longest time in seconds without a step forward, from a moment on. Asked after the run's end. */
  recovery(from: number): Promise<number>;
}

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called before the first command. */
  readonly before?: (machine: Machine) => void;
  /** Called when the stack has ended and all is well. */
  readonly after?: (machine: Machine) => void;
}

/** Worlds with a stack that may run. */
const living = new Set<World>();

/** Ends every stack at once and keeps the folders for a look. */
export const keepAll = (): Promise<string[]> =>
  Promise.all([...living].map((world) => world.keep()));

/** A busy machine is slow; what hangs does so for longer. */
const usualPatienceMs = 180_000;

/** What a run without faults leaves, by workload. */
type Expected = Map<Workload, string>;

export async function createWorld(
  { env = {}, before, after }: WorldOptions = {},
  expected: Expected = new Map(),
): Promise<World> {
  let model = await startModelServer(script);
  const points = mkdtempSync(join(tmpdir(), 'chaos-points-'));
  const bare = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_FAILPOINTS: points, ...env });
  const terminals: Started[] = [];
  let isLeft = false;
  const machine: Machine = {
    ...bare,
    start(...words) {
      // It would start the stack again.
      if (isLeft) throw new Error('This world has ended.');
      const terminal = bare.start(...words);
      terminals.push(terminal);
      return terminal;
    },
  };
  before?.(machine);

  let gone = false;
  const end = async (): Promise<void> => {
    if (gone) return;
    const down = await machine.run('down');
    await model.close();
    rmSync(points, { recursive: true, force: true });
    assert.equal(down.code, 0, `agent down: ${down.stderr}`);
  };

  const world: World = {
    machine,
    arm: (point, passes = 0) => writeFileSync(join(points, point), String(passes)),
    hitAt(point) {
      const hit = join(points, `${point}.hit`);
      return existsSync(hit) ? Number(readFileSync(hit, 'utf8')) : undefined;
    },
    disarm() {
      rmSync(points, { recursive: true, force: true });
      mkdirSync(points);
    },
    begin: (id, workload = 'quick', workspace = join(machine.root, id)) => {
      prepareWorkspace(workspace);
      return createRunning({ machine, expected }, id, workload, workspace);
    },
    async learn(workload) {
      if (expected.has(workload)) return;
      const faultless = world.begin(`faultless-${workload}`, workload);
      const last = await faultless.finish();
      assert.ok(last.type === 'run.finished' && last.status === 'done', JSON.stringify(last));
      const left = describeWorkspace(faultless.workspace);
      expected.set(workload, left);
      if (workload === 'quick') expected.set('cut', left);
      await faultless.check();
    },
    pidOf: (name) => readPid(machine, name),
    async closeModel() {
      await model.close();
    },
    async openModel() {
      model = await startModelServer(script, { port: model.port });
    },
    async stop() {
      await end();
      checkRest(machine);
      after?.(machine);
      await machine.stop();
      gone = true;
      living.delete(world);
    },
    async keep() {
      isLeft = true;
      for (const { child } of terminals) child.kill('SIGKILL');
      await end().catch(() => undefined);
      living.delete(world);
      return machine.root;
    },
    another: (options) => createWorld(options, expected),
  };
  living.add(world);
  await world.learn('quick');
  return world;
}

function readPid({ state }: Machine, name: StackPart['name']): number | undefined {
  try {
    const stack = JSON.parse(readFileSync(join(state, 'stack.json'), 'utf8')) as StackFile;
    const pid =
      name === 'supervisor' ? stack.pid : stack.parts?.find((part) => part.name === name)?.pid;
    // A zombie, whose parent has not looked yet, does not run any more.
    return pid !== undefined && readStartTime(pid) !== undefined ? pid : undefined;
  } catch {
    return undefined; // No stack, or one that is just starting.
  }
}

interface Place {
  readonly machine: Machine;
  readonly expected: Expected;
}

/** Rest before another terminal looks. */
const againMs = 500;

function createRunning(
  { machine, expected }: Place,
  id: string,
  workload: Workload,
  workspace: string,
): Running {
  const begin = (): Started =>
    machine.start('run', '--json', '--id', id, '-C', workspace, ...toWords(workload));
  const started = begin();
  if (workload === 'held') void approve(machine, id, started);

  const finish = async (patienceMs = usualPatienceMs): Promise<RunEvent> => {
    const patience = new AbortController();
    const late = setTimeout(patienceMs, 'late' as const, {
      signal: patience.signal,
      ref: false,
    }).catch(() => 'late' as const);
    let terminal = started;
    try {
      for (const ends: string[] = []; ;) {
        const ended = await Promise.race([terminal.ended, late]);
        const last = terminal.events.at(-1);
        if (ended === 'late') {
          terminal.child.kill('SIGKILL');
          throw new Error(
            `Run ${id} does not end within ${patienceMs / 1000} s: ${JSON.stringify(last)}; ${ends.join(' | ')}`,
          );
        }
        if (last?.type === 'run.finished') return last;
        // A person would look again, too: what killed the terminal may have taken the stack with it.
        ends.push(`${ended.code}: ${ended.stderr.slice(-200)}`);
        await setTimeout(againMs);
        const unknown = /There is no run/.test(ended.stderr);
        terminal = unknown ? begin() : machine.start('attach', id, '--json');
      }
    } finally {
      patience.abort();
    }
  };

  const check = async (patienceMs?: number): Promise<void> => {
    const last = await finish(patienceMs);
    assert.ok(last.type === 'run.finished');
    assert.equal(last.status, 'done', JSON.stringify(last));
    const wanted = expected.get(workload);
    assert.ok(wanted !== undefined, `nobody knows what ${workload} leaves`);
    assert.equal(describeWorkspace(workspace), wanted, `workspace of ${id}`);
    await waitForMirror(machine, id);
    await checkOutcomes(machine, id, mutations[workload]);
    for (const command of [['verify'], ...(await readReconcile(machine, id))]) {
      const { code, stdout } = await machine.run('audit', ...command);
      assert.equal(code, 0, `audit ${command.join(' ')}: ${stdout}`);
    }
    checkLeft(machine, workspace);
  };

  return {
    id,
    workspace,
    started,
    finish,
    check,
    progress: (calls) => waitForCalls(started, calls),
    async recovery(from) {
      const events = await waitForMirror(machine, id);
      const steps = events
        .filter(({ type }) => /COMPLETED/.test(String(type)))
        .map(({ time }) => Date.parse(String(time)))
        .filter((time) => time > from);
      const waits = steps.map((time, index) => time - (steps[index - 1] ?? from));
      return Math.max(0, ...waits) / 1000;
    },
  };
}

/** The person who says yes; asked again, they would say it again. */
async function approve(machine: Machine, id: string, started: Started): Promise<void> {
  const asked = await started
    .waitFor(({ type }) => type === 'approval.requested')
    .catch(() => undefined);
  if (asked !== undefined) await machine.run('approve', id);
}

async function waitForCalls(started: Started, calls: number): Promise<void> {
  let finished = 0;
  const seen = new Set<number>();
  await started
    .waitFor((event) => {
      if (event.type !== 'tool.finished' || seen.has(event.seq)) return false;
      seen.add(event.seq);
      finished += 1;
      return finished >= calls;
    })
    .catch(() => undefined);
}

let hasReconcile: boolean | undefined;

/** Arguments of the comparison of log and history, where this version has it. */
async function readReconcile(machine: Machine, id: string): Promise<string[][]> {
  hasReconcile ??= /audit reconcile/.test((await machine.run('--help')).stdout);
  return hasReconcile ? [['reconcile', id]] : [];
}

/** The longest time in seconds that the run stood still after the point ended a process; undefined when it has not. */
export const secondsAfter = async (
  world: World,
  run: Running,
  point: string,
): Promise<number | undefined> => {
  const at = world.hitAt(point);
  return at === undefined ? undefined : await run.recovery(at);
};

/** Waits until the point has ended a process, or the run is over. */
export async function waitForHit(world: World, { started }: Running, point: string): Promise<void> {
  const over = new AbortController();
  void started.ended.then(() => over.abort());
  await waitFor(point, () => over.signal.aborted || world.hitAt(point) !== undefined, 600_000);
}

/** A world of its own; kept when it breaks, as the others are. */
export async function within<T>(
  world: World,
  options: WorldOptions,
  work: (own: World) => Promise<T>,
): Promise<T> {
  const own = await world.another(options);
  try {
    const done = await work(own);
    await own.stop();
    return done;
  } catch (error) {
    throw new Error(`${(error as Error).message} (kept: ${await own.keep()})`, { cause: error });
  }
}
