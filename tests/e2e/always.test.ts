import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readChain } from '../../audit/record/chain.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import type { AuditEntry } from '../../audit/record/log.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';

const isAsked = ({ type }: RunEvent): boolean => type === 'approval.requested';
const isRequest = (request: string) => (event: RunEvent) =>
  event.type === 'approval.requested' && event.request === request;
const same = { name: 'write_file', args: { path: 'AGENTS.md', content: 'Be kind.\n' } };
const look = { name: 'read_file', args: { path: 'AGENTS.md' } };
const command = { name: 'run_command', args: { command: 'for f in *.md; do wc -l "$f"; done' } };

suite('approve --always', () => {
  let model: ModelServer;
  let machine: Machine;
  let rules: string;
  before(async () => {
    const again = { ...same, args: { ...same.args, content: 'Be kinder.\n' } };
    model = await startModelServer(callsInTurn([look, same, again, command, command]));
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
    rules = join(machine.root, 'config', 'dev-agent', 'always.yaml');
    await mkdir(join(machine.root, 'shop'));
    await mkdir(join(machine.root, 'other'));
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  const follow = async (id: string, folder: string): Promise<Started> => {
    const args = ['run', '--detach', '--id', id, '-C', join(machine.root, folder), 'Go'];
    const { code, stderr } = await machine.run(...args);
    assert.equal(code, 0, stderr);
    return machine.start('logs', id, '-f', '--json');
  };
  const readLines = async (): Promise<AuditEntry[]> => {
    const lines: AuditEntry[] = [];
    const today = `${new Date().toISOString().slice(0, 10)}.jsonl`;
    for await (const line of readChain(join(machine.state, 'audit', today)))
      lines.push(line as unknown as AuditEntry);
    return lines;
  };

  test('what was asked about is not asked again, in this run and the next', async () => {
    const watching = await follow('first', 'shop');
    await watching.waitFor(isRequest('a1'));

    const nobody = await machine.run('approve', 'first', '--always');
    assert.equal(nobody.code, 2);
    assert.match(nobody.stderr, /allow\s+write_file AGENTS\.md, with any content/);
    assert.match(nobody.stderr, /though\s+paths\.write\.ask\[1\] asks/);
    assert.match(nobody.stderr, /but not\s+AGENTS\.mdx/);
    assert.match(nobody.stderr, /agent approve first a1 --always --yes/);
    assert.ok(!existsSync(rules));

    const added = await machine.run('approve', 'first', '--always', '--yes', '--json');
    assert.equal(added.code, 0, added.stderr);
    const {
      rules: known,
      sha256,
      previous,
    } = JSON.parse(added.stdout) as { rules: { id: string }[]; sha256: string; previous: string };
    assert.deepEqual(
      known.map(({ id }) => id),
      ['always-1'],
    );
    assert.equal((await stat(rules)).mode & 0o777, 0o600);

    // The same file with another content is not asked about; the command is.
    await watching.waitFor(isRequest('a2'));
    assert.equal(await readFile(join(machine.root, 'shop', 'AGENTS.md'), 'utf8'), 'Be kinder.\n');
    const second = await machine.run('approve', 'first', 'a2', '--always', '--yes');
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /Added always-2 to .*always\.yaml, in force/);
    const ended = await watching.ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(watching.events.filter(isAsked).length, 2);

    const lines = await readLines();
    const policies = lines.filter(({ kind }) => kind === 'policy');
    assert.deepEqual(
      policies.map((line) => line.kind === 'policy' && line.added),
      [undefined, ['always-1'], ['always-2']],
    );
    assert.ok(policies[1]?.kind === 'policy');
    assert.deepEqual([policies[1].sha256, policies[1].previous], [sha256, previous]);
    const allowed = lines.flatMap((line) =>
      line.kind === 'outcome' && line.tool !== 'read_file' ? [line.rule] : [],
    );
    assert.deepEqual(allowed, ['always-1', 'always-1', 'always-2', 'always-2']);
    const approvals = lines.flatMap((line) => (line.kind === 'approval' ? [line.request] : []));
    assert.deepEqual(approvals, ['a1', 'a2']);

    const next = await follow('next', 'shop');
    const over = await next.ended;
    assert.equal(over.code, 0, over.stderr);
    assert.equal(next.events.filter(isAsked).length, 0);
  });

  test('another folder is asked about', async () => {
    const watching = await follow('elsewhere', 'other');
    await watching.waitFor(isRequest('a1'));
    assert.equal((await machine.run('deny', 'elsewhere')).code, 0);
    await watching.waitFor(isRequest('a2'));
    assert.equal((await machine.run('cancel', 'elsewhere')).code, 0);
    await watching.ended;
  });

  test('taken back, it is asked about again', async () => {
    const wrong = await machine.run('policies', 'forget', 'always-9');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /no rule "always-9" .* it has always-1, always-2/);
    assert.equal((await machine.run('policies', 'test')).code, 0);
    assert.match((await machine.run('policies', 'show')).stdout, /---- always\.yaml\n[^]*always-1/);
    const forgotten = await machine.run('policies', 'forget', 'always-1');
    assert.equal(forgotten.code, 0, forgotten.stderr);
    const watching = await follow('again', 'shop');
    await watching.waitFor(isRequest('a1'));
    assert.equal((await machine.run('cancel', 'again')).code, 0);
    await watching.ended;
    const last = (await readLines()).findLast(({ kind }) => kind === 'policy');
    assert.ok(last?.kind === 'policy');
    assert.deepEqual(last.removed, ['always-1']);
    assert.ok((await readFile(rules, 'utf8')).includes('always-2'));
  });
});
