/** Data that git ignores, changed by a command: it is taken back, or named, and never lost without a word. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { waitFor } from '../setup/wait-for.ts';

const vacuum = callsInTurn([{ name: 'run_command', args: { command: 'node vac.js' } }]);

/** Rewrites the data with its beginning, and takes its time to end. */
const program = (ms: number): string => `const fs = require('node:fs');
const part = Buffer.alloc(900000);
const fd = fs.openSync('data.db', 'r');
const bytes = fs.readSync(fd, part);
fs.writeFileSync('data.db', part.subarray(0, bytes));
setTimeout(() => console.log('kept', bytes), ${ms});
`;

const waitForSize = (file: string, size: number): Promise<true> =>
  waitFor(`${file} to have ${size} bytes`, () => statSync(file).size === size, 60_000);

suite('data that git ignores', () => {
  let model: ModelServer;
  let machine: Machine;
  before(async () => {
    model = await startModelServer(vacuum);
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  const plant = (name: string, ms: number): { workspace: string; data: string } => {
    const workspace = join(machine.root, name);
    mkdirSync(workspace);
    execFileSync('git', ['init', '-q'], { cwd: workspace });
    writeFileSync(join(workspace, '.gitignore'), 'data.db\n');
    writeFileSync(join(workspace, 'vac.js'), program(ms));
    return { workspace, data: join(workspace, 'data.db') };
  };
  const killWorker = async (): Promise<void> => {
    process.kill(await machine.pidOf('worker'), 'SIGKILL');
  };

  test('undo brings back data that a command rewrote', async () => {
    const { workspace, data } = plant('covered', 0);
    const bytes = randomBytes(2_000_000);
    writeFileSync(data, bytes);
    const ran = await machine.run('run', '--id', 'covered', '-C', workspace, 'Make it small');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(statSync(data).size, 900_000);
    const undone = await machine.run('undo', 'covered');
    assert.match(undone.stdout, /↩ data\.db/);
    assert.ok(readFileSync(data).equals(bytes));
  });

  test('a worker killed in mid-command: the data is as before when the command runs again', async () => {
    const { workspace, data } = plant('killed', 3_000);
    const bytes = randomBytes(2_000_000);
    writeFileSync(data, bytes);
    const run = machine.start('run', '--id', 'killed', '-C', workspace, '--json', 'Make it small');
    await waitForSize(data, 900_000);
    await killWorker();
    const { code } = await run.ended;
    assert.equal(code, 0);
    assert.ok(readFileSync(data).equals(bytes.subarray(0, 900_000)));
    const finished = run.events.find(({ type }) => type === 'tool.finished');
    assert.ok(finished?.type === 'tool.finished' && finished.ok);
    await machine.run('undo', 'killed');
    assert.ok(readFileSync(data).equals(bytes));
  });

  test('a worker killed in mid-command on data too large to cover: a person is asked, and undo says what it leaves', async () => {
    const { workspace, data } = plant('large', 3_000);
    writeFileSync(data, 'mine');
    truncateSync(data, 70 * 1024 * 1024);
    const started = await machine.run(
      'run',
      '--id',
      'large',
      '-C',
      workspace,
      '--detach',
      'Make it small',
    );
    assert.equal(started.code, 0, started.stderr);
    const run = machine.start('logs', 'large', '-f', '--json');
    const uncovered = await run.waitFor(({ type }) => type === 'workspace.uncovered');
    assert.deepEqual('paths' in uncovered && uncovered.paths, ['data.db']);
    await waitForSize(data, 900_000);
    await killWorker();
    const asked = await run.waitFor(({ type }) => type === 'approval.requested');
    assert.ok(asked.type === 'approval.requested');
    assert.match(asked.reason, /no snapshot holds.*data\.db/);
    assert.equal(statSync(data).size, 900_000);
    const answered = await machine.run('approve', 'large', asked.request);
    assert.equal(answered.code, 0, answered.stderr);
    await run.ended;
    const finished = run.events.find(({ type }) => type === 'run.finished');
    assert.deepEqual(finished?.type === 'run.finished' && finished.left, ['data.db']);
    const undone = await machine.run('undo', 'large');
    assert.match(undone.stdout, /! data\.db was changed, and no snapshot has the original/);
    assert.equal(statSync(data).size, 900_000);
    assert.equal(readFileSync(data).subarray(0, 4).toString(), 'mine');
  });
});
