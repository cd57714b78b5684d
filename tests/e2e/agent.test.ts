import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readChain } from '../../audit/record/chain.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine, parseEvents } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** Every event of the run is in its mirror, once and in order. */
async function checkMirror({ state }: Machine, run: string): Promise<void> {
  const ids = new Map<string, number[]>();
  const kinds: string[] = [];
  for (let wait = 0; wait < 100 && kinds.at(-1) !== 'close'; wait++) {
    ids.clear();
    kinds.length = 0;
    for await (const record of readChain(join(state, `run-${run}.jsonl`))) {
      kinds.push(String(record['kind']));
      if (record['kind'] !== 'event') continue;
      const execution = String(record['execution']);
      ids.set(execution, [...(ids.get(execution) ?? []), Number(record['id'])]);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(kinds[0], 'header');
  assert.equal(kinds.at(-1), 'close');
  for (const [execution, seen] of ids)
    assert.deepEqual(
      seen,
      seen.map((_, index) => index + 1),
      execution,
    );
}

const finished = (events: readonly RunEvent[]): Extract<RunEvent, { type: 'run.finished' }> => {
  const last = events.at(-1);
  assert.equal(last?.type, 'run.finished');
  return last;
};

const gapless = (events: readonly RunEvent[]): void =>
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );

suite('agent run --demo on a copy of this repository', () => {
  const machine = createMachine();
  const workspace = join(machine.root, 'workspace');
  before(() => {
    execFileSync('git', ['clone', '-q', repository, workspace]);
    // The demo lists at most 1,000 entries, and the whole repository has more.
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
        cwd: workspace,
      });
    git('rm', '-rq', 'tests', 'docs/decisions');
    git('commit', '-qm', 'Keep the sources');
  });
  after(() => machine.stop());

  test('describes the workspace truthfully and exits 0', async () => {
    const { code, stdout, stderr } = await machine.run(
      'run',
      '--demo',
      '--id',
      'demo',
      '-C',
      workspace,
      'Describe this workspace',
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /WORKSPACE\.md/);
    const page = await readFile(join(workspace, 'WORKSPACE.md'), 'utf8');
    const tracked = execFileSync('git', ['ls-files'], { cwd: workspace, encoding: 'utf8' })
      .trim()
      .split('\n');
    assert.match(page, /^# dev-agent/);
    assert.match(page, new RegExp(`${tracked.length} files`));
    const head = execFileSync('git', ['log', '-1', '--format=%s'], {
      cwd: workspace,
      encoding: 'utf8',
    }).trim();
    const sandboxed = !/commands do not run|cannot be run/i.test(page);
    if (sandboxed) assert.ok(page.includes(head), page);
  });

  test('leaves a record that verifies and a mirror with each event once', async () => {
    await checkMirror(machine, 'demo');
    const { code, stdout } = await machine.run('audit', 'verify', '--json');
    assert.equal(code, 0, stdout);
    const days = await readdir(join(machine.state, 'audit'));
    const text = await readFile(join(machine.state, 'audit', days[0] ?? ''), 'utf8');
    const written = text.split('\n').filter((line) => line.includes('"write_file"'));
    assert.deepEqual(
      written.map((line) => (JSON.parse(line) as { kind: string }).kind),
      ['intent', 'outcome'],
    );
  });

  test('can be listed, shown, read and replayed afterwards', async () => {
    const list = await machine.run('list', '--json');
    assert.match(list.stdout, /"demo"/);
    const show = await machine.run('show', 'demo');
    assert.match(show.stdout, /done/);
    const logs = await machine.run('logs', 'demo', '--json');
    assert.equal(logs.code, 0, logs.stderr);
    gapless(parseEvents(logs.stdout));
    const replay = await machine.run('replay', 'demo');
    assert.equal(replay.code, 0, replay.stdout);
  });

  test('a tool by hand is judged and confined as in a run', async () => {
    const denied = await machine.run(
      'tools',
      'invoke',
      'read_file',
      '--payload',
      '{"path":"../x"}',
      '--json',
      '-C',
      workspace,
    );
    assert.equal(denied.code, 7);
    assert.equal((JSON.parse(denied.stdout) as { verdict: string }).verdict, 'deny');
    const asked = await machine.run(
      'tools',
      'invoke',
      'write_file',
      '--payload',
      '{"path":"AGENTS.md","content":"x"}',
      '-C',
      workspace,
    );
    assert.equal(asked.code, 3);
    await assert.rejects(readFile(join(workspace, 'AGENTS.md')), { code: 'ENOENT' });
  });
});

const isSleep = (event: RunEvent): boolean =>
  event.type === 'tool.requested' && event.preview === 'sleep 2';

suite('a run whose processes are killed', () => {
  let model: ModelServer;
  let machine: Machine;
  let workspace: string;
  const story = callsInTurn([
    { name: 'write_file', args: { path: 'one.txt', content: '1' } },
    { name: 'run_command', args: { command: 'sleep 2' } },
    { name: 'run_command', args: { command: 'echo line >> log.txt' } },
    { name: 'edit_file', args: { path: 'one.txt', old: '1', new: '2' } },
  ]);
  before(async () => {
    model = await startModelServer(story);
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  const startRun = async (id: string) => {
    workspace = join(machine.root, id);
    await mkdir(workspace);
    await writeFile(join(workspace, 'README.md'), '# killed\n');
    return machine.start('run', '--json', '--id', id, '-C', workspace, 'Do the four things');
  };
  /** The workspace is as after a run in which nothing was killed. */
  const checkEnd = async (id: string, events: readonly RunEvent[]): Promise<void> => {
    const { status, usage } = finished(events);
    assert.equal(status, 'done');
    assert.equal(usage.toolCalls, 4);
    gapless(events);
    assert.equal(await readFile(join(workspace, 'one.txt'), 'utf8'), '2');
    assert.equal(await readFile(join(workspace, 'log.txt'), 'utf8'), 'line\n');
    await checkMirror(machine, id);
    const verified = await machine.run('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
  };

  test('the worker, in the middle of a command', async () => {
    const run = await startRun('worker');
    await run.waitFor(isSleep);
    process.kill(await machine.pidOf('worker'), 'SIGKILL');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    await checkEnd('worker', run.events);
  });

  test('the Temporal server', async () => {
    const run = await startRun('temporal');
    await run.waitFor(isSleep);
    process.kill(await machine.pidOf('temporal'), 'SIGKILL');
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    await checkEnd('temporal', run.events);
  });

  test('the mirror and the supervisor', async () => {
    const run = await startRun('mirror');
    await run.waitFor(isSleep);
    process.kill(await machine.pidOf('mirror'), 'SIGKILL');
    process.kill(await machine.pidOf('supervisor'), 'SIGKILL');
    // Whatever command comes next starts a supervisor that takes over.
    assert.equal((await machine.run('up')).code, 0);
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    await checkEnd('mirror', run.events);
  });

  test('the terminal', async () => {
    const run = await startRun('terminal');
    await run.waitFor(isSleep);
    run.child.kill('SIGKILL');
    await run.ended;
    const attached = machine.start('attach', 'terminal', '--json');
    const { code, stderr } = await attached.ended;
    assert.equal(code, 0, stderr);
    await checkEnd('terminal', attached.events);
  });

  test('down and up again: the run goes on', async () => {
    const run = await startRun('down');
    await run.waitFor(isSleep);
    run.child.kill('SIGKILL');
    assert.equal((await machine.run('down')).code, 0);
    const attached = machine.start('attach', 'down', '--json');
    const { code, stderr } = await attached.ended;
    assert.equal(code, 0, stderr);
    await checkEnd('down', attached.events);
  });
});
