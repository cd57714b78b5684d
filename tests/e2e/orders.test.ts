/**
 * Another user of the machine, with Temporal's port and nothing else, against a real worker. Where the tests run as root, the
 * other user is 65534 and the folders are closed to them.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { PromoteRequest } from '../../activities/contract/promotion.ts';
import { signOrder, toSignedPromotion } from '../../audit/record/keys/order-signature.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import type { RunInput, RunResult } from '../../workflows/contract.ts';
import { toQueues } from '../../workflows/names.ts';
import { manySteps } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { toOrdered } from '../setup/orders.ts';
import type { Rogue } from '../setup/rogue.ts';

const toPath = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const isRoot = process.getuid?.() === 0;

/** The rogue in a process of its own; a method of it by its name. */
function startRogue(address: string) {
  const child = spawn(process.execPath, [toPath('../setup/rogue.ts'), address], {
    uid: isRoot ? 65534 : undefined,
    gid: isRoot ? 65534 : undefined,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask<Method extends 'start' | 'act' | 'read' | 'signal'>(
      method: Method,
      ...args: Parameters<Rogue[Method]>
    ): Promise<Awaited<ReturnType<Rogue[Method]>>> {
      child.stdin.write(`${JSON.stringify([method, args])}\n`);
      const { value } = (await lines.next()) as { value: string };
      return JSON.parse(value) as Awaited<ReturnType<Rogue[Method]>>;
    },
    async stop() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

const story = manySteps({
  s1: [{ call: [{ name: 'write_file', args: { path: '.bashrc', content: 'echo pwned\n' } }] }],
});

suite('another user of the machine', () => {
  const address = process.env['TEMPORAL_TEST_ADDRESS'] ?? '';
  const queue = `orders-${process.pid}`;
  const queues = toQueues(queue, hostname());
  let model: ModelServer;
  let machine: Machine;
  let worker: ChildProcess;
  let rogue: ReturnType<typeof startRogue>;
  let workspace: string;
  let foreign: string;
  let config: string;
  /** Of a run of the operator's that has ended. */
  let copied: RunInput;

  before(async () => {
    model = await startModelServer(story);
    machine = createMachine({
      OPENAI_BASE_URL: model.baseUrl,
      TEMPORAL_ADDRESS: address,
      AGENT_QUEUE: queue,
    });
    workspace = join(machine.root, 'project');
    foreign = join(machine.root, 'foreign');
    config = join(machine.root, 'config', 'dev-agent');
    for (const folder of [workspace, foreign]) mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(foreign, '.bashrc'), 'mine\n');
    writeFileSync(join(foreign, 'private.txt'), 'PRIVATE');
    worker = spawn(process.execPath, [toPath('../../workers/main.ts')], {
      env: { ...machine.env, LOG_LEVEL: 'fatal' },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    rogue = startRogue(address);
    const first = ['run', '--id', `${queue}-first`, '-C', workspace, '--approve', 'auto', 'Say it'];
    const { code, stderr } = await machine.run(...first);
    assert.equal(code, 0, stderr);
    copied = (await rogue.ask('read', `run-${queue}-first`))[0] as RunInput;
    assert.ok(copied.order !== undefined && copied.standing !== undefined);
  });
  after(async () => {
    await rogue.stop();
    worker.kill('SIGTERM');
    await once(worker, 'exit');
    await machine.stop();
    await model.close();
  });

  const start = async (input: Partial<RunInput>, id = `run-${input.run}`): Promise<RunResult> =>
    (await rogue.ask('start', {
      type: 'agentRun',
      workflowId: id,
      queue: queues.run,
      args: [input],
    })) as RunResult;
  const isRefused = async (input: Partial<RunInput>, id?: string): Promise<void> => {
    const asked = model.requests.length;
    const ended = await start(input, id);
    assert.equal(ended.status, 'denied', JSON.stringify(ended));
    assert.equal(model.requests.length, asked, 'a model was asked');
  };
  const bare = (): Partial<RunInput> => {
    const { order: _order, standing: _standing, ...rest } = copied;
    return rest;
  };

  test('cannot read or write a folder that is closed to them', async () => {
    await isRefused({ ...copied, run: 'theirs', workspace: foreign });
    await isRefused({ ...bare(), run: 'theirs', workspace: foreign });
    await isRefused({ ...bare(), run: 'theirs', approve: 'ask', workspace: homedir() });
    assert.equal(readFileSync(join(foreign, '.bashrc'), 'utf8'), 'mine\n');
    assert.deepEqual(readdirSync(foreign).toSorted(), ['.bashrc', 'private.txt']);
  });

  test('cannot have the folder of the keys as workspace', async () => {
    await isRefused({ ...copied, run: 'keys', workspace: config });
    await isRefused({ ...bare(), run: 'keys', workspace: join(config, 'keys') });
  });

  test('cannot have another model server asked', async () => {
    const evil = await startModelServer(story);
    const choice = { model: 'm', baseUrl: evil.baseUrl };
    const models = { planner: choice, executor: choice, reviewer: choice };
    await isRefused({ ...copied, run: 'model', models });
    await isRefused({ ...copied, models });
    assert.equal(evil.requests.length, 0);
    await evil.close();
  });

  test('cannot run again what has ended', async () => {
    await isRefused(copied);
    await isRefused(copied, 'run-again');
    await isRefused({ ...copied, run: 'again' });
  });

  test('cannot have a folder deleted by a promotion', async () => {
    const request = {
      run: copied.run,
      by: 'policy',
      goal: copied.goal,
      target: workspace,
      stage: foreign,
      base: '0'.repeat(40),
      tree: '0'.repeat(40),
      mode: 'patch',
    };
    for (const order of [undefined, copied.order])
      await rogue.ask('start', {
        type: 'promotion',
        workflowId: `run-${copied.run}.promotion`,
        queue: queues.run,
        args: [{ queues: copied.queues, request, order }],
      });
    assert.ok(existsSync(join(foreign, 'private.txt')));
  });

  test('cannot have workflow code of their own ask our queues', async () => {
    const base = { run: copied.run, workspace: foreign };
    for (const [activity, more] of [
      ['openWorkspace', { lease: true }],
      ['act', { step: 's1', seq: 1, call: { id: 'c', tool: 'write_file', segment: '', index: 0 } }],
      ['closeRun', { status: 'done', summary: '' }],
      ['promote', { by: 'policy', target: workspace, stage: foreign, base: '', tree: '' }],
    ] as const) {
      const got = await rogue.ask(
        'act',
        { type: 'agentRun', workflowId: `run-${copied.run}`, args: [copied] },
        { queue: queues.workspace, activity, request: { ...base, ...more } },
      );
      assert.deepEqual(got, { refused: 'NotAnnounced' }, activity);
    }
    assert.deepEqual(readdirSync(foreign).toSorted(), ['.bashrc', 'private.txt']);
  });

  test('and the operator themselves cannot have the folder of the keys', async () => {
    const key = ensureSigningKey(join(config, 'keys', 'operator.pem'));
    const run = `${queue}-own`;
    const own = { ...bare(), run, approve: 'ask', workspace: config } as RunInput;
    const ended = await start(toOrdered(key, own));
    assert.equal(ended.status, 'failed', JSON.stringify(ended));
    assert.match(ended.summary, /No run may work in .*configuration folder/);
  });

  test('nor the change of a staged run in another folder than it is for', async () => {
    const key = ensureSigningKey(join(config, 'keys', 'operator.pem'));
    const run = `${queue}-staged`;
    const staged = ['run', '--stage', '--id', run, '-C', workspace, '--approve', 'auto', 'Say it'];
    assert.equal((await machine.run(...staged)).code, 0);
    const [{ queues: own, workspace: stage, goal }] = (await rogue.ask('read', `run-${run}`)) as [
      RunInput,
    ];
    const request: PromoteRequest = {
      run,
      by: 'ann',
      goal,
      target: foreign,
      stage,
      mode: 'patch',
      base: '0'.repeat(40),
      tree: '0'.repeat(40),
    };
    const input = { queues: own, request };
    const order = signOrder(key, toSignedPromotion(input, randomUUID()));
    const ended = await rogue.ask('start', {
      type: 'promotion',
      workflowId: `run-${run}.promotion`,
      queue: queues.run,
      args: [{ ...input, order }],
    });
    assert.match(JSON.stringify(ended), /announced for another folder/);
    assert.ok(existsSync(stage));
    assert.deepEqual(readdirSync(foreign).toSorted(), ['.bashrc', 'private.txt']);
  });

  test('is on record, and does not keep the operator from working', async () => {
    const told = await machine.run('audit', 'tail', '--json');
    assert.match(told.stdout, /"kind":"refusal"/);
    const next = await machine.run(
      'run',
      '--id',
      `${queue}-next`,
      '-C',
      workspace,
      '--approve',
      'auto',
      'Again',
    );
    assert.equal(next.code, 0, next.stderr);
    const { code } = await machine.run('audit', 'verify');
    assert.equal(code, 0);
  });
});
