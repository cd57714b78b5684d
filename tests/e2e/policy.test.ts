import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readChain } from '../../audit/record/chain.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { shippedDir } from '../policies/cases.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';

interface Line {
  readonly kind: string;
  readonly run?: string;
  readonly verdict?: string;
  readonly policy?: string;
  readonly sha256?: string;
}

const isAsked = ({ type }: RunEvent): boolean => type === 'approval.requested';

suite('the policy in force', () => {
  let model: ModelServer;
  let machine: Machine;
  let policies: string;
  let workspace: string;
  before(async () => {
    model = await startModelServer(
      callsInTurn([{ name: 'write_file', args: { path: 'rules.txt', content: 'Be kind.\n' } }]),
    );
    policies = await mkdtemp(join(tmpdir(), 'dev-agent-policies-'));
    for (const file of ['tools.yaml', 'network.yaml', 'paths.yaml'])
      await cp(join(shippedDir, file), join(policies, file));
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_POLICIES_DIR: policies });
  });
  after(async () => {
    await machine.stop();
    await model.close();
    await rm(policies, { recursive: true, force: true });
  });

  const asking = "    - path: rules.txt\n      reason: 'a test asks'\n";
  const ask = (): Promise<void> =>
    edit('paths.yaml', /(^write:\n[^]*?^ {2}ask:[^\n]*\n)/m, `$1${asking}`);
  const stopAsking = (): Promise<void> => edit('paths.yaml', asking, '');
  const edit = async (file: string, from: string | RegExp, to: string): Promise<void> => {
    const text = await readFile(join(policies, file), 'utf8');
    assert.notEqual(text.replace(from, to), text);
    await writeFile(join(policies, file), text.replace(from, to));
  };
  const startRun = async (id: string): Promise<void> => {
    workspace = join(machine.root, id);
    await mkdir(workspace);
    const { code, stderr } = await machine.run(
      'run',
      '--detach',
      '--id',
      id,
      '-C',
      workspace,
      'Go',
    );
    assert.equal(code, 0, stderr);
  };
  const follow = (id: string): Started => machine.start('logs', id, '-f', '--json');
  const reload = async (): Promise<{ sha256: string; previous: string; judged: string[] }> => {
    const { code, stdout, stderr } = await machine.run('policies', 'reload', '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as { sha256: string; previous: string; judged: string[] };
  };
  const readLines = async (): Promise<Line[]> => {
    const lines: Line[] = [];
    const today = `${new Date().toISOString().slice(0, 10)}.jsonl`;
    for await (const line of readChain(join(machine.state, 'audit', today)))
      lines.push(line as unknown as Line);
    return lines;
  };

  test('an edit counts for nothing before it is reloaded, not even for a restarted worker', async () => {
    await ask();
    await startRun('kept');
    const watching = follow('kept');
    await watching.waitFor(isAsked);
    await stopAsking();
    process.kill(await machine.pidOf('worker'), 'SIGKILL');
    assert.equal((await machine.run('approve', 'kept')).code, 0);
    const ended = await watching.ended;
    assert.equal(ended.code, 0, ended.stderr);
    const lines = await readLines();
    const [first] = lines.filter(({ kind }) => kind === 'policy');
    const own = lines.filter(({ run }) => run === 'kept');
    assert.deepEqual(new Set(own.flatMap(({ policy }) => policy ?? [])), new Set([first?.sha256]));
  });

  test('a mistake changes nothing and is named', async () => {
    const shown = (await machine.run('policies', 'show', '--json')).stdout;
    await edit('network.yaml', /$/, '\nallow_everything: true\n');
    const refused = await machine.run('policies', 'reload');
    assert.equal(refused.code, 78);
    assert.match(refused.stderr, /network\.yaml:\d+:1: .*allow_everything/);
    assert.match(refused.stderr, /Nothing has changed/);
    assert.equal((await machine.run('policies', 'show', '--json')).stdout, shown);
    await edit('network.yaml', '\nallow_everything: true\n', '');
  });

  test('a reload in mid-run judges what waits again: allowed now, it goes on', async () => {
    await ask();
    const strict = await reload();
    await startRun('allowed');
    const watching = follow('allowed');
    await watching.waitFor(isAsked);
    await stopAsking();
    const lax = await reload();
    assert.equal(lax.previous, strict.sha256);
    assert.deepEqual(lax.judged, ['allowed']);
    const ended = await watching.ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.ok(watching.events.some(({ type }) => type === 'policy.changed'));
    assert.equal(await readFile(join(workspace, 'rules.txt'), 'utf8'), 'Be kind.\n');
    const own = (await readLines()).filter(({ run }) => run === 'allowed');
    assert.deepEqual(
      own.map(({ kind, verdict, policy }) => [kind, verdict, policy]),
      [
        ['decision', 'ask', strict.sha256],
        ['intent', 'allow', lax.sha256],
        ['outcome', 'allow', lax.sha256],
        ['end', undefined, undefined],
      ],
    );
  });

  test('denied now, it is refused; still to be asked, it is asked about under a new number', async () => {
    await ask();
    await reload();
    await startRun('denied');
    const watching = follow('denied');
    await watching.waitFor(isAsked);
    await edit('network.yaml', /$/, '# only a comment\n');
    await reload();
    await watching.waitFor(
      (event) => isAsked(event) && 'request' in event && event.request === 'a2',
    );
    const stale = await machine.run('approve', 'denied', 'a1');
    assert.equal(stale.code, 2);
    assert.match(stale.stderr, /a1 is not waiting .*a2/);
    await edit('paths.yaml', /^write:\n {2}deny:\n/m, 'write:\n  deny:\n    - path: rules.txt\n');
    await reload();
    const decided = await watching.waitFor(
      (event) => event.type === 'decision' && event.verdict === 'deny',
    );
    assert.ok(decided.type === 'decision' && decided.rule.startsWith('paths.write.deny'));
    await watching.ended;
    await assert.rejects(readFile(join(workspace, 'rules.txt')));
  });
});
