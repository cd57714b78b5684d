import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createLeases } from '../../activities/files/lease.ts';
import { manySteps } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';

const write = (path: string, content: string) => ({
  call: [{ name: 'write_file', args: { path, content } }],
});

const story = manySteps({
  s1: [
    write('one.txt', '1\n'),
    { call: [{ name: 'run_command', args: { command: 'echo a >> log' } }] },
  ],
  s2: [write('one.txt', '2\n'), { ask: 'Go on?' }],
  s3: [write('three.txt', '3\n')],
});

suite('time travel from the command line', () => {
  let model: ModelServer;
  let machine: Machine;
  let workspace: string;
  const read = (path: string): Promise<string> => readFile(join(workspace, path), 'utf8');
  const start = async (id: string): Promise<Started> => {
    workspace = join(machine.root, id);
    await mkdir(workspace);
    await writeFile(join(workspace, 'mine.txt'), 'mine\n');
    return await begin(id, 'run', '--id', id, '-C', workspace, 'Do it');
  };
  /** Starts without a terminal, which would end at the question, and waits for it. */
  const begin = async (id: string, ...args: string[]): Promise<Started> => {
    await ok(...args, '--detach');
    const run = machine.start('logs', id, '-f', '--json');
    await run.waitFor(({ type }) => type === 'input.requested');
    return run;
  };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await machine.run(...args);
    assert.equal(code, 0, `agent ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  before(async () => {
    model = await startModelServer(story);
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  test('diff shows what a run, or one step of it, changed', async () => {
    const run = await start('seen');
    await ok('say', 'seen', 'yes');
    assert.equal((await run.ended).code, 0);
    const whole = await ok('diff', 'seen');
    assert.match(whole, /\+\+\+ b\/three\.txt/);
    assert.match(whole, /^\+2$/m);
    const first = await ok('diff', 'seen', '--step', '1');
    assert.match(first, /^\+1$/m);
    assert.doesNotMatch(first, /three\.txt/);
    const wrong = await machine.run('diff', 'seen', '--step', '9');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /has not begun a step "9"; begun are s1, s2, s3/);
  });

  test('undo takes the changes back and keeps what a person changed since', async () => {
    await writeFile(join(workspace, 'three.txt'), 'mine now\n');
    const text = await ok('undo', 'seen');
    assert.match(text, /three\.txt was changed since, so it stays/);
    assert.ok(!existsSync(join(workspace, 'one.txt')));
    assert.ok(!existsSync(join(workspace, 'log')));
    assert.equal(await read('three.txt'), 'mine now\n');
    assert.equal(await read('mine.txt'), 'mine\n');
    assert.match(await ok('undo', 'seen'), /nothing to revert|stays/);
  });

  test('rewind does steps again in the same run', async () => {
    const run = await start('back');
    assert.equal((await machine.run('undo', 'back')).code, 2);
    assert.match(await ok('rewind', 'back', '--step', '2'), /back at the start of s2/);
    await run.waitFor((event) => event.type === 'input.requested' && event.request === 'q2');
    await ok('say', 'back', 'yes');
    assert.equal((await run.ended).code, 0);
    assert.equal(await read('log'), 'a\n');
  });

  test('fork leaves the old run alone and goes on in a copy', async () => {
    const run = await start('old');
    const forked = await begin('young', 'fork', 'old', '--step', '2', '--id', 'young');
    const copy = join(machine.root, 'old-young');
    assert.equal(await readFile(join(copy, 'log'), 'utf8'), 'a\n');
    assert.equal(await readFile(join(copy, 'mine.txt'), 'utf8'), 'mine\n');
    await writeFile(join(copy, 'mine.txt'), 'changed in the copy\n');
    await ok('say', 'young', 'yes');
    assert.equal((await forked.ended).code, 0);
    assert.ok(existsSync(join(copy, 'three.txt')));
    assert.ok(!existsSync(join(workspace, 'three.txt')));
    await ok('say', 'old', 'yes');
    assert.equal((await run.ended).code, 0);
    assert.equal(await read('mine.txt'), 'mine\n');
    assert.equal(await read('three.txt'), '3\n');
  });

  test('a fork with another model asks that one', async () => {
    await ok('fork', 'old', '--step', '1', '--id', 'other', '-m', 'another', '--detach');
    const rows = JSON.parse(await ok('list', '--json')) as { run: string; model: string }[];
    assert.equal(rows.find(({ run }) => run === 'other')?.model, 'another');
    await ok('cancel', 'other');
  });

  test('nothing is copied to where somebody else is at work', async () => {
    const taken = join(machine.root, 'taken');
    const leases = createLeases(join(machine.state, 'leases'));
    await leases.hold(taken, 'by-hand-test');
    const refused = await machine.run('fork', 'old', '--step', '1', '-C', taken, '--id', 'late');
    await leases.release('by-hand-test');
    assert.match(refused.stderr + refused.stdout, /in use by run by-hand-test/);
    assert.ok(!existsSync(taken));
  });

  test('restore goes on after the loss of the database, from log and blobs alone', async () => {
    await start('lost');
    await ok('down');
    for (const name of ['temporal.db', 'temporal.db-wal', 'temporal.db-shm'])
      rmSync(join(machine.state, name), { force: true });
    // Half a call, as the loss may leave it: not known to the log.
    await writeFile(join(workspace, 'log'), 'a\nhalf');
    const restored = await begin('lost-r2', 'restore', 'lost');
    assert.equal(await read('log'), 'a\n');
    await ok('say', 'lost-r2', 'yes');
    assert.equal((await restored.ended).code, 0);
    assert.equal(await read('one.txt'), '2\n');
    assert.equal(await read('three.txt'), '3\n');
    assert.equal((await machine.run('audit', 'verify')).code, 0);
  });

  test('restore goes on from an export, on a machine that never saw the run', async () => {
    await start('moved');
    const file = join(machine.root, 'moved.tgz');
    await ok('audit', 'export', 'moved', '-o', file);
    const other = createMachine({ OPENAI_BASE_URL: model.baseUrl });
    after(() => other.stop());
    const copy = join(other.root, 'copy');
    await cp(workspace, copy, { recursive: true });
    const locked = await other.run('restore', file, '-C', copy, '--detach');
    assert.notEqual(locked.code, 0, 'without the key that its history is encrypted with');
    assert.match(locked.stderr, /key/);
    assert.doesNotMatch(locked.stderr, /^ {4}at /m);
    const keys = 'config/dev-agent/keys';
    await cp(join(machine.root, keys, 'payload-keys'), join(other.root, keys, 'payload-keys'));
    const { code, stderr } = await other.run('restore', file, '-C', copy, '--detach');
    assert.equal(code, 0, stderr);
    const restored = other.start('logs', 'moved-r2', '-f', '--json');
    await restored.waitFor(({ type }) => type === 'input.requested');
    await other.run('say', 'moved-r2', 'yes');
    assert.equal((await restored.ended).code, 0);
    assert.equal(await readFile(join(copy, 'log'), 'utf8'), 'a\n');
    assert.equal(await readFile(join(copy, 'three.txt'), 'utf8'), '3\n');
    await ok('cancel', 'moved');
  });

  test('two runs cannot have the same folder; --wait waits', async () => {
    const first = await start('first');
    const refused = await machine.run('run', '-C', workspace, '--id', 'second', 'Do it');
    assert.match(refused.stderr + refused.stdout, /in use by run first/);
    await ok('run', '--wait', '--detach', '--id', 'third', '-C', workspace, 'Do it');
    await ok('say', 'first', 'yes');
    assert.equal((await first.ended).code, 0);
    const third = machine.start('logs', 'third', '-f', '--json');
    await third.waitFor(({ type }) => type === 'input.requested');
    await ok('say', 'third', 'yes');
    assert.equal((await third.ended).code, 0);
  });
});
