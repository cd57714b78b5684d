import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { RunEvent } from '../../audit/events/events.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine, Started } from '../setup/cli.ts';

const isAsked = ({ type }: RunEvent): boolean => type === 'approval.requested';
const asksFor =
  (request: string) =>
  (event: RunEvent): boolean =>
    event.type === 'approval.requested' && event.request === request;

suite('approvals from the command line', () => {
  let model: ModelServer;
  let machine: Machine;
  let workspace: string;
  before(async () => {
    model = await startModelServer(
      callsInTurn([
        { name: 'read_file', args: { path: 'AGENTS.md' } },
        { name: 'write_file', args: { path: 'AGENTS.md', content: 'Be kind.\n' } },
      ]),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  const begin = async (id: string): Promise<Started> => {
    workspace = join(machine.root, id);
    await mkdir(workspace);
    await writeFile(join(workspace, 'AGENTS.md'), 'Be fast.\n');
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
    const watching = machine.start('logs', id, '-f', '--json');
    await watching.waitFor(isAsked);
    return watching;
  };
  const written = (): Promise<string> => readFile(join(workspace, 'AGENTS.md'), 'utf8');

  test('the whole action is shown: what changes, by which rule, at what risk', async () => {
    const watching = await begin('shown');
    const { stdout } = await machine.run('show', 'shown');
    assert.match(stdout, /write_file AGENTS\.md/);
    assert.match(stdout, /^ +-Be fast\.$/m);
    assert.match(stdout, /^ +\+Be kind\.$/m);
    assert.match(stdout, /rule +paths\.write\.ask/);
    assert.match(stdout, /risk +low: /);
    assert.equal((await machine.run('deny', 'shown', '--reason', 'not on main')).code, 0);
    await watching.ended;
    assert.equal(await written(), 'Be fast.\n');
    const { stdout: tail } = await machine.run('audit', 'tail', 'shown');
    assert.match(tail, /deny a1 by \S+: not on main/);
    assert.match(tail, /write_file AGENTS\.md \(paths\.write\.ask\[\d+\], policy [0-9a-f]{12}\)/);
  });

  test('what somebody with another key answers does not count, and is on record', async () => {
    const watching = await begin('forged');
    const outsider = createMachine({ AGENT_STATE_DIR: machine.state });
    const locked = await outsider.run('approve', 'forged');
    assert.notEqual(locked.code, 0, 'without the key of the payloads nothing can be sent at all');
    assert.match(locked.stderr, /AGENT_PAYLOAD_KEYS|payload-keys/);
    await rm(outsider.root, { recursive: true });
    const stranger = createMachine({
      AGENT_STATE_DIR: machine.state,
      AGENT_PAYLOAD_KEYS: join(machine.root, 'config/dev-agent/keys/payload-keys'),
    });
    assert.equal((await stranger.run('approve', 'forged')).code, 0);
    const again = await watching.waitFor(asksFor('a2'));
    assert.ok(again.type === 'approval.requested');
    assert.match(again.refused ?? '', /a1 by \S+ was rejected: its key [0-9a-f]{16} does not/);
    assert.equal(await written(), 'Be fast.\n');
    assert.equal((await machine.run('approve', 'forged', 'a2')).code, 0);
    assert.equal((await watching.ended).code, 0);
    assert.equal(await written(), 'Be kind.\n');
    const { stdout } = await machine.run('audit', 'tail', 'forged');
    assert.match(stdout, /approve a1 by .* NOT COUNTED: /);
    await rm(stranger.root, { recursive: true });
  });

  test('arguments changed in an editor are what is carried out, and the model is told', async () => {
    const watching = await begin('edited');
    const editor = join(machine.root, 'editor.sh');
    await writeFile(editor, '#!/bin/sh\nsed -i "s/kind/brief/" "$1"\n');
    await chmod(editor, 0o755);
    const bad = await machine.run('approve', 'edited', '--args', '{"path": 7}');
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /Invalid arguments for write_file/);
    const person = createMachine({
      AGENT_STATE_DIR: machine.state,
      EDITOR: editor,
      VISUAL: '',
      XDG_CONFIG_HOME: join(machine.root, 'config'),
    });
    const { code, stdout, stderr } = await person.run('approve', 'edited', '--edit');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Approved a1, with your arguments/);
    assert.equal((await watching.ended).code, 0);
    await rm(person.root, { recursive: true });
    assert.equal(await written(), 'Be brief.\n');
    const told = JSON.stringify(model.requests.at(-2)?.messages);
    assert.match(told, /changed the arguments before approving/);
  });

  test('every view names what ran in place of what was asked for', async () => {
    const watching = await begin('renamed');
    const args = JSON.stringify({ path: 'other.txt', content: 'Be brief.\n' });
    assert.equal((await machine.run('approve', 'renamed', '--args', args)).code, 0);
    const { code, stdout: followed } = await watching.ended;
    assert.equal(code, 0);
    assert.equal(await readFile(join(workspace, 'other.txt'), 'utf8'), 'Be brief.\n');
    const { stdout: logs } = await machine.run('logs', 'renamed');
    assert.match(logs, /a1 approved, with other arguments by .*\n.*"path":"other\.txt"/);
    assert.match(logs, /✓ write_file other\.txt/);
    assert.doesNotMatch(logs, /✓ write_file AGENTS\.md/);
    assert.match(followed, /"tool.finished",.*"preview":"other\.txt"/);
    assert.match(followed, /"approval.answered",.*"args":\{"path":"other\.txt"/);
    const { stdout: tail } = await machine.run('audit', 'tail', 'renamed');
    assert.match(tail, /outcome allow by \S+ write_file other\.txt/);
    const reviewed = JSON.stringify(model.requests.at(-1)?.messages);
    assert.match(reviewed, /write_file other\.txt -> /);
    assert.doesNotMatch(reviewed, /write_file AGENTS\.md -> /);
  });

  const edit = async (editor: string) => {
    const person = createMachine({
      AGENT_STATE_DIR: machine.state,
      EDITOR: editor,
      VISUAL: '',
      XDG_CONFIG_HOME: join(machine.root, 'config'),
    });
    const ended = await person.run('approve', 'unchanged', '--edit');
    await rm(person.root, { recursive: true });
    return ended;
  };

  test('left as they are, arguments are approved as they are; an emptied file answers nothing', async () => {
    const watching = await begin('unchanged');
    const emptied = await edit('truncate -s 0');
    assert.equal(emptied.code, 2);
    assert.match(emptied.stderr, /emptied the file: nothing was answered, and a1 still waits/);
    assert.equal(await written(), 'Be fast.\n');
    const same = await edit('true');
    assert.equal(same.code, 0);
    assert.match(same.stderr, /left the arguments as they are/);
    assert.match(same.stdout, /^Approved a1: write_file/m);
    assert.equal((await watching.ended).code, 0);
    assert.equal(await written(), 'Be kind.\n');
  });

  test('a standing order is signed when the run is started', async () => {
    workspace = join(machine.root, 'auto');
    await mkdir(workspace);
    const { code, stderr } = await machine.run(
      'run',
      '--approve',
      'auto',
      '--id',
      'auto',
      '-C',
      workspace,
      'Go',
    );
    assert.equal(code, 0, stderr);
    assert.equal(await written(), 'Be kind.\n');
  });
});
