import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createMachine } from '../setup/cli.ts';

const shipped = fileURLToPath(new URL('../../policies/', import.meta.url));

interface Replay {
  readonly decisions: number;
  readonly changed: number;
  readonly actions: readonly {
    readonly tool: string;
    readonly verdict: string;
    readonly rule: string;
    readonly now: { readonly verdict: string; readonly rule: string };
    readonly changed: boolean;
  }[];
}

suite('policies in runs', () => {
  const machine = createMachine();
  const other = join(machine.root, 'other');
  const makeWorkspace = async (name: string): Promise<string> => {
    const workspace = join(machine.root, name);
    await mkdir(join(workspace, '.agent', 'policies'), { recursive: true });
    await writeFile(join(workspace, 'README.md'), 'hello\n');
    return workspace;
  };
  const replay = async (...args: string[]): Promise<{ code: number | null; said: Replay }> => {
    const { code, stdout, stderr } = await machine.run('policies', 'replay', ...args, '--json');
    assert.equal(stderr, '');
    return { code, said: JSON.parse(stdout) as Replay };
  };
  before(async () => {
    await mkdir(other);
    for (const file of ['network.yaml', 'paths.yaml'])
      await cp(join(shipped, file), join(other, file));
    const tools = await readFile(join(shipped, 'tools.yaml'), 'utf8');
    await writeFile(join(other, 'tools.yaml'), tools.replace('deny: []', 'deny: [write_file]'));
  });
  after(() => machine.stop());

  test('a workspace’s own policy counts, and what another bundle would have said is found offline', async () => {
    const free = await makeWorkspace('free');
    const tight = await makeWorkspace('tight');
    await writeFile(
      join(tight, '.agent', 'policies', 'paths.yaml'),
      'version: 1\nwrite: { deny: [WORKSPACE.md] }\n',
    );
    const [done] = await Promise.all(
      [free, tight].map((folder, index) =>
        machine.run('run', '--demo', '-C', folder, '--id', `p${index}`, 'Look around'),
      ),
    );
    assert.equal(done?.code, 0, done?.stderr);
    await machine.run('down');

    const same = await replay('p0');
    assert.deepEqual([same.code, same.said.changed], [0, 0]);
    const under = await replay('p0', '--policies', other);
    assert.equal(under.code, 1);
    assert.deepEqual(
      under.said.actions
        .filter(({ changed }) => changed)
        .map(({ tool, verdict, now }) => [tool, verdict, now.rule]),
      [['write_file', 'allow', 'tools.deny[0]']],
    );

    const tightened = await replay('p1');
    const write = tightened.said.actions.find(({ tool }) => tool === 'write_file');
    assert.deepEqual([write?.verdict, write?.rule], ['deny', 'workspace.paths.write.deny[0]']);

    const text = await machine.run('policies', 'replay', 'p0', '--policies', other);
    assert.match(text.stdout, /allow \(paths\.write\.allow\[0\]\) → deny \(tools\.deny\[0\]\)/);
    assert.match(text.stdout, /^1 of \d+ decisions would be different/m);

    const file = join(machine.root, 'p0.tgz');
    assert.equal((await machine.run('audit', 'export', 'p0', '-o', file)).code, 0);
    assert.deepEqual((await replay(file, '--policies', other)).said.changed, 1);
  });

  test('with a mistake in the workspace’s policy nothing is done', async () => {
    const broken = await makeWorkspace('broken');
    await writeFile(
      join(broken, '.agent', 'policies', 'tools.yaml'),
      'version: 1\ntools: { allow: ["*"] }\n',
    );
    const { code, stderr, stdout } = await machine.run(
      'run',
      '--demo',
      '-C',
      broken,
      'Look around',
    );
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /tools\.yaml:2:10: unknown key "allow"/);
  });

  test('logs that are none, or were changed, are refused', async () => {
    const log = join(machine.state, 'run-p0.jsonl');
    const changed = join(machine.root, 'changed.jsonl');
    await writeFile(
      changed,
      (await readFile(log, 'utf8')).replace('"kind":"close"', '"kind":"clos3"'),
    );
    const empty = join(machine.root, 'empty.jsonl');
    await writeFile(empty, '');
    for (const [file, message] of [
      ['absent', /is neither a log/],
      [empty, /holds no start of a run/],
      [changed, /changed\.jsonl:\d+ /],
    ] as const) {
      const { code, stderr } = await machine.run('policies', 'replay', file);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
  });
});
