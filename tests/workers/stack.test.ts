import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { Client } from '@temporalio/client';
import { connectTemporal } from '../../client/connection.ts';
import { ClientError } from '../../client/errors.ts';
import { ensureStack, stopStack } from '../../client/stack/stack.ts';
import { readStack } from '../../client/stack/file.ts';
import { stackStatus } from '../../client/stack/control.ts';
import { ConfigError, readSettings } from '../../config/environment.ts';
import { isRunning } from '../../config/process.ts';
import type { ProcessId } from '../../config/process.ts';
import { readVersion } from '../../config/version.ts';
import type { Settings } from '../../config/environment.ts';
import type { StackFile, StackPart } from '../../config/stack.ts';
import { claimFolder } from '../../workers/stack/claim.ts';
import { isServing } from '../../workers/stack/serving.ts';
import { waitFor } from '../setup/wait-for.ts';

const scratch = mkdtempSync(join(tmpdir(), 'agent-stack-'));
const opened: Settings[] = [];
after(async () => {
  await Promise.all(opened.map((settings) => stopStack(settings)));
  rmSync(scratch, { recursive: true, force: true });
});

const open = (name: string): Settings => {
  const stateDir = join(scratch, name);
  const settings = readSettings({
    env: { ...process.env, AGENT_STATE_DIR: stateDir },
    cwd: scratch,
  });
  opened.push(settings);
  return settings;
};

/** What another terminal would do: a process of its own that ends when the stack is there. */
const ensureElsewhere = (stateDir: string): Promise<StackFile> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL('ensure.ts', import.meta.url));
    const child = spawn(process.execPath, [script], {
      env: { ...process.env, AGENT_STATE_DIR: stateDir },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(JSON.parse(text) as StackFile)
        : reject(new Error(`ensure.ts ended with ${code}`)),
    );
  });

const waitForPart = (
  stack: StackFile,
  name: StackPart['name'],
  wanted: (part: StackPart) => boolean,
): Promise<StackPart> =>
  waitFor(`the ${name}`, async () => {
    const { parts } = await stackStatus(stack);
    return parts.find((part) => part.name === name && wanted(part));
  });

const waitForEnd = (...processes: readonly ProcessId[]): Promise<true> =>
  waitFor('the processes to end', () => !processes.some(isRunning));

const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

const isUp = (part: StackPart): boolean => part.state === 'up';

test('a stack survives the death of each of its processes', { timeout: 120_000 }, async (t) => {
  const settings = open('one');
  const { root } = settings.folders;

  await t.test('two commands that start it at once share it', async () => {
    const [one, two] = await Promise.all([ensureElsewhere(root), ensureElsewhere(root)]);
    assert.equal(one.pid, two.pid);
    assert.equal(one.temporal, two.temporal);
    assert.ok(await isServing(one.temporal, 'default'));
  });

  const stack = await ensureStack(settings);

  await t.test('folder, token and files are private', () => {
    assert.equal(statSync(root).mode & 0o777, 0o700);
    for (const file of [settings.folders.tokenFile, settings.folders.stackFile]) {
      assert.equal(statSync(file).mode & 0o777, 0o600);
    }
    assert.match(readFileSync(settings.folders.tokenFile, 'utf8'), /^[0-9a-f]{64}$/);
  });

  await t.test('a killed worker is replaced', async () => {
    const before = await waitForPart(stack, 'worker', isUp);
    process.kill(before.pid, 'SIGKILL');
    const now = await waitForPart(stack, 'worker', (part) => isUp(part) && part.pid !== before.pid);
    assert.equal(now.restarts, before.restarts + 1);
  });

  await t.test('a killed Temporal comes back on its port', async () => {
    const before = await waitForPart(stack, 'temporal', isUp);
    process.kill(before.pid, 'SIGKILL');
    const now = await waitForPart(
      stack,
      'temporal',
      (part) => isUp(part) && part.pid !== before.pid,
    );
    assert.equal(now.port, before.port);
    assert.ok(await isServing(stack.temporal, 'default'));
  });

  const temporalOf = (): ProcessId[] =>
    (readStack(settings)?.parts ?? []).filter(({ name }) => name === 'temporal');
  const [, bridge] = temporalOf();
  await t.test(
    'a killed bridge to Temporal takes it along, and both come back',
    { skip: bridge === undefined },
    async () => {
      const before = temporalOf();
      const server = childOf(before[1]?.pid ?? 0);
      for (const find of [(pid: number) => pid, childOf]) {
        const old = temporalOf();
        process.kill(find(old[1]?.pid ?? 0), 'SIGKILL');
        const now = await waitForPart(
          stack,
          'temporal',
          (part) => isUp(part) && part.pid !== old[0]?.pid,
        );
        assert.ok(now.pid > 0 && !old.some(isRunning));
        assert.ok(await isServing(stack.temporal, 'default'));
      }
      assert.ok(!existsSync(`/proc/${server}`));
    },
  );

  await t.test('a killed supervisor is replaced by the next command', async () => {
    const old = readStack(settings);
    assert.ok(old?.parts !== undefined && old.parts.length >= 2);
    process.kill(old.pid, 'SIGKILL');
    await waitForEnd(old);
    assert.equal(readStack(settings), undefined);
    const next = await ensureStack(settings);
    assert.notEqual(next.pid, old.pid);
    assert.deepEqual([next.temporal, next.webUi], [old.temporal, old.webUi]);
    await waitForPart(next, 'worker', isUp);
    await waitForEnd(...old.parts);
  });

  await t.test('a damaged stack.json is set aside, and the stack found again', async () => {
    const before = readStack(settings);
    writeFileSync(settings.folders.stackFile, '{"v":1,');
    const said: string[] = [];
    const stackAgain = await ensureStack(settings, { onProgress: (line) => said.push(line) });
    assert.equal(stackAgain.pid, before?.pid);
    assert.match(said.join('\n'), /was damaged/);
    assert.ok(existsSync(`${settings.folders.stackFile}.damaged`));
  });

  await t.test('down leaves no process, no token and no lock', async () => {
    const running = readStack(settings);
    assert.ok(running?.parts !== undefined);
    assert.deepEqual(await stopStack(settings), { wasRunning: true });
    assert.deepEqual([running, ...running.parts].filter(isRunning), []);
    assert.ok(!existsSync(settings.folders.stackFile) && !existsSync(settings.folders.tokenFile));
    const claim = claimFolder(root);
    assert.ok(claim !== undefined);
    claim.release();
    assert.deepEqual(await stopStack(settings), { wasRunning: false });
  });

  await t.test('it comes up again where it was', async () => {
    const again = await ensureStack(settings);
    assert.deepEqual([again.temporal, again.webUi], [stack.temporal, stack.webUi]);
    await stopStack(settings);
  });
});

test('a second state folder has a stack of its own', { timeout: 60_000 }, async () => {
  const [one, two] = [open('left'), open('right')];
  const [left, right] = await Promise.all([ensureStack(one), ensureStack(two)]);
  assert.notEqual(left.pid, right.pid);
  assert.notEqual(left.temporal, right.temporal);
});

test('down after a killed supervisor ends what it left behind', { timeout: 60_000 }, async () => {
  const settings = open('orphans');
  const stack = await ensureStack(settings);
  const parts = readStack(settings)?.parts ?? [];
  assert.ok(parts.length > 0);
  process.kill(stack.pid, 'SIGKILL');
  await waitForEnd(stack);
  assert.deepEqual(await stopStack(settings), { wasRunning: true });
  assert.deepEqual(parts.filter(isRunning), []);
});

test('a stack of another version is replaced when it is idle', { timeout: 120_000 }, async (t) => {
  const settings = open('upgrade');
  const age = (stack: StackFile): void =>
    writeFileSync(settings.folders.stackFile, JSON.stringify({ ...stack, version: '0.1.0' }));
  const old = await ensureStack(settings);
  // Its parts write the file again as they come up.
  await waitForPart(old, 'mirror', isUp);
  age(old);
  const said: string[] = [];
  const onProgress = (line: string): void => void said.push(line);
  const stack = await ensureStack(settings, { onProgress });
  assert.notEqual(stack.pid, old.pid);
  assert.equal(stack.version, readVersion());
  assert.match(said.join('\n'), /Replacing the local stack of version 0\.1\.0/);

  await t.test('with a run open, what to do is said, and a new run refused', async () => {
    await waitForPart(stack, 'mirror', isUp);
    age(stack);
    const connection = await connectTemporal({ address: stack.temporal });
    await connection.workflowService.startWorkflowExecution({
      namespace: 'default',
      workflowId: 'run-old',
      requestId: 'old',
      identity: 'test',
      workflowType: { name: 'agentRun' },
      taskQueue: { name: 'nobody' },
    });
    const client = new Client({ connection });
    // The visibility store follows a moment later.
    await waitFor('the run', async () => (await client.workflow.count()).count > 0);
    await connection.close();
    await assert.rejects(
      ensureStack(settings, { strict: true }),
      (error) =>
        error instanceof ClientError &&
        error.kind === 'configuration' &&
        /version 0\.1\.0.*run-old.*agent down && agent up/s.test(error.message),
    );
    said.length = 0;
    assert.equal((await ensureStack(settings, { onProgress })).pid, stack.pid);
    assert.match(said.join('\n'), /run-old.*agent down && agent up/);
  });
});

test('a stack whose state folder is deleted ends by itself', { timeout: 60_000 }, async () => {
  const settings = open('deleted');
  const stack = await ensureStack(settings);
  const parts = readStack(settings)?.parts ?? [];
  rmSync(settings.folders.root, { recursive: true, force: true });
  await waitForEnd(stack, ...parts);
  assert.equal(readStack(settings), undefined);
});

test('a state folder that cannot be made is a configuration error', async () => {
  writeFileSync(join(scratch, 'file'), '');
  const settings = open(join('file', 'state'));
  await assert.rejects(
    ensureStack(settings),
    (error) =>
      error instanceof ConfigError &&
      error.exitCode === 78 &&
      /AGENT_STATE_DIR/.test(error.message),
  );
});

test(
  'a folder held by a supervisor that cannot be seen is reported, not waited for',
  { timeout: 60_000 },
  async () => {
    const settings = open('held');
    const stack = await ensureStack(settings);
    await stopStack(settings);
    assert.equal(isRunning(stack), false);
    const claim = claimFolder(settings.folders.root);
    try {
      await assert.rejects(
        ensureStack(settings),
        (error) => error instanceof ClientError && error.kind === 'busy',
      );
    } finally {
      claim?.release();
    }
  },
);
