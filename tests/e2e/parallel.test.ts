import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { lanesStory, runOf, threeLanes, writeFileOf } from '../workflows/scenarios.ts';

const story = lanesStory({
  s1: [runOf('echo one > one.txt')],
  s2: [writeFileOf('two.txt', 'two\n'), runOf('echo more >> both.txt')],
});

suite('steps at once, from the command line', () => {
  let model: ModelServer;
  let machine: Machine;
  let policies: string;
  let points: string;
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await machine.run(...args);
    assert.equal(code, 0, `agent ${args.join(' ')}: ${stderr}`);
    return stdout + stderr;
  };
  const check = (folder: string): void => {
    const read = (path: string): string => readFileSync(join(machine.root, folder, path), 'utf8');
    assert.equal(read('one.txt'), 'one\n');
    assert.equal(read('two.txt'), 'two\n');
    assert.equal(read('both.txt'), 'mine\nmore\n');
  };

  before(async () => {
    model = await startModelServer(story);
    policies = mkdtempSync(join(tmpdir(), 'agent-policies-'));
    points = join(policies, 'points');
    mkdirSync(points);
    cpSync(fileURLToPath(new URL('../../policies/', import.meta.url)), policies, {
      recursive: true,
    });
    const tools = join(policies, 'tools.yaml');
    writeFileSync(tools, readFileSync(tools, 'utf8').replace(...threeLanes));
    machine = createMachine({
      OPENAI_BASE_URL: model.baseUrl,
      AGENT_POLICIES_DIR: policies,
      AGENT_FAILPOINTS: points,
    });
  });
  after(async () => {
    await machine.stop();
    await model.close();
    rmSync(policies, { recursive: true, force: true });
  });

  const begin = async (id: string): Promise<void> => {
    mkdirSync(join(machine.root, id));
    writeFileSync(join(machine.root, id, 'both.txt'), 'mine\n');
    await ok('run', '--id', id, '-C', join(machine.root, id), 'Work in lanes');
  };

  for (const [point, passes] of [
    ['merge.before', 0],
    ['merge.after', 0],
    ['merge.after', 1],
  ] as const) {
    const id = `${point.replace('.', '-')}-${passes}`;
    test(`a worker killed at ${point}, of merge ${passes + 1}, merges each lane once`, async () => {
      writeFileSync(join(points, point), String(passes));
      await begin(id);
      assert.ok(existsSync(join(points, `${point}.hit`)), 'the worker was killed');
      check(id);
      await ok('audit', 'verify');
      rmSync(join(points, `${point}.hit`));
    });
  }

  test('diff shows what a step did in its copy; a fork begins the whole batch anew', async () => {
    await begin('seen');
    const diff = await ok('diff', 'seen', '--step', '2');
    assert.match(diff, /two\.txt/);
    assert.doesNotMatch(diff, /one\.txt/);
    const told = await ok('fork', 'seen', '--step', '2', '--id', 'young');
    assert.match(told, /from the start of s2 \(Lane s2\), and with it s1, s2/);
    check('seen-young');
  });
});
