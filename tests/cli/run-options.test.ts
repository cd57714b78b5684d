import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { CliError } from '../../cli/errors.ts';
import { createRunId, runIdPattern } from '../../client/run-id.ts';
import { runOptions, toLimits } from '../../cli/run-options.ts';
import { parseGoal, parseWorkspace, readGoal } from '../../cli/values.ts';
import { readSettings } from '../../config/environment.ts';
import { toStateFolders } from '../../config/folders.ts';

const isUsage =
  (message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof CliError && error.exitCode === 2 && message.test(error.message);

let root: string;
let state: string;
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'agent-options-')));
  state = join(root, 'state');
  await mkdir(join(root, 'ws'));
  await symlink(join(root, 'ws'), join(root, 'link'));
  await symlink(homedir(), join(root, 'home'));
  await writeFile(join(root, 'file'), '');
});
after(() => rm(root, { recursive: true, force: true }));

test('a goal is trimmed', () => assert.equal(parseGoal('  do it\n'), 'do it'));
test('an empty goal is refused', () => {
  assert.throws(() => parseGoal(' \n '), isUsage(/The goal is empty/));
});
test('a goal is measured in bytes, not characters', () => {
  assert.equal(parseGoal('x'.repeat(32_768)).length, 32_768);
  assert.throws(() => parseGoal('ü'.repeat(16_385)), isUsage(/32770 bytes long; at most 32768/));
});
test('a goal read from a stream keeps characters that lie across two chunks', async () => {
  const bytes = Buffer.from('prüfe die Maße');
  const chunks = [bytes.subarray(0, 3), bytes.subarray(3, 13), bytes.subarray(13)];
  assert.equal(await readGoal(Readable.from(chunks)), 'prüfe die Maße');
});
test('an endless stream is not read to its end', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(65_536, 'x');
    })(),
  );
  assert.throws(() => parseGoal('x'.repeat(40_000)), isUsage(/at most/));
  assert.ok((await readGoal(endless)).length > 32_768);
});

test('limits are whole numbers from 1 on', () => {
  const { parse } = runOptions['max-tokens'];
  assert.equal(parse('5', '--max-tokens'), 5);
  for (const bad of ['0', '-1', '1.5', '1e3', 'ten', ' 5', '99999999999', 'NaN']) {
    const message = /--max-tokens must be a whole number from 1/;
    assert.throws(() => parse(bad, '--max-tokens'), isUsage(message), bad);
  }
});

test('--max-usd is an amount of dollars', () => {
  const { parse } = runOptions['max-usd'];
  assert.equal(parse('2.50', '--max-usd'), 2.5);
  for (const bad of ['0', '0.00', '-1', '$5', '1,5', '5.', '1e3', 'NaN', '0.00001']) {
    assert.throws(() => parse(bad, '--max-usd'), isUsage(/--max-usd must be an amount/), bad);
  }
});

test('only limits that were given replace others', () => {
  const limits = toLimits({ 'max-steps': 5, 'max-tool-calls': 1, demo: true });
  assert.deepEqual(limits, { steps: 5, toolCalls: 1 });
});

test('run ids: what fits, what does not, and what is made up', () => {
  const { parse } = runOptions.id;
  for (const good of ['a', '7', 'brave-otter-4f2a', 'x'.repeat(40)])
    assert.equal(parse(good), good);
  for (const bad of ['', '-a', 'A', 'a_b', '../x', 'a b', 'x'.repeat(41), 'a\n']) {
    assert.throws(() => parse(bad), isUsage(/--id must be/), JSON.stringify(bad));
  }
  const made = Array.from({ length: 200 }, createRunId);
  for (const id of made) assert.match(id, runIdPattern);
  assert.equal(new Set(made).size, made.length);
});

/** As the operator of a machine with that state folder would have them. */
const settings = (stateDir = state) => ({
  ...readSettings({ env: {}, cwd: '/' }),
  folders: toStateFolders(stateDir),
});

test('a workspace is a folder, named without symbolic links', () => {
  assert.equal(parseWorkspace(join(root, 'link'), settings()), join(root, 'ws'));
  assert.throws(() => parseWorkspace(join(root, 'none'), settings()), isUsage(/does not exist/));
  assert.throws(() => parseWorkspace(join(root, 'file'), settings()), isUsage(/is not a folder/));
});
test('a workspace that holds all there is is not accepted, also through a link', () => {
  for (const wide of ['/', homedir(), join(root, 'home')]) {
    assert.throws(
      () => parseWorkspace(wide, settings()),
      isUsage(/is not accepted as workspace: it holds everything/),
    );
  }
});
test('a workspace and the state folder do not hold each other', () => {
  assert.throws(() => parseWorkspace(root, settings()), isUsage(/the state folder .* lies in it/));
  assert.throws(
    () => parseWorkspace(join(root, 'ws'), settings(join(root, 'ws'))),
    isUsage(/lies in the state folder/),
  );
});
