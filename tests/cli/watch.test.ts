import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { oneStep } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import { parseEvents } from '../setup/cli.ts';
import { noTmux, openTmux } from '../setup/tmux.ts';
import type { Ended, Place } from './program.ts';
import { createPlace, entry, runAgent } from './program.ts';

type Server = Awaited<ReturnType<typeof startModelServer>>;

const writing = oneStep([
  {
    call: [{ name: 'write_file', args: { path: 'AGENTS.md', content: 'be kind\n' } }],
    text: 'I \u001b[31mwrite\u001b]0;owned\u0007 it',
  },
]);
const asking = oneStep([{ ask: 'Which colour?' }]);

let place: Place;
let workspace: string;
let writer: Server;
let asker: Server;
before(async () => {
  place = await createPlace();
  workspace = join(place.root, 'ws');
  await mkdir(workspace);
  await writeFile(join(workspace, 'README.md'), '# shop\n');
  [writer, asker] = await Promise.all([startModelServer(writing), startModelServer(asking)]);
});
after(async () => {
  await agent(['down']);
  await Promise.all([writer.close(), asker.close()]);
  await place.remove();
});

const agent = (args: readonly string[], server: Server = writer): Promise<Ended> =>
  runAgent(args, { env: { ...place.env, OPENAI_BASE_URL: server.baseUrl }, cwd: workspace });

test('an ask with nobody to answer exits 3, shows the request, and can be approved later', async () => {
  const waiting = await agent(['run', '--id', 'ask-1', 'Write the rules']);
  assert.equal(waiting.code, 3, waiting.stderr);
  assert.equal(waiting.stdout, '');
  assert.match(waiting.stderr, /approval a1: write_file AGENTS\.md/);
  assert.match(waiting.stderr, /agent approve ask-1 a1/);
  assert.ok(
    !waiting.stderr.includes('\u001b'),
    'nothing the model wrote reaches the terminal as it is',
  );
  assert.ok(!waiting.stderr.includes('owned'));

  const listed = JSON.parse((await agent(['list', '--json'])).stdout) as Record<string, unknown>[];
  assert.deepEqual(
    listed.map(({ run, status, open }) => ({ run, status, open })),
    [{ run: 'ask-1', status: 'needs-approval', open: true }],
  );
  const logs = await agent(['logs', 'ask-1', '--json']);
  assert.equal(parseEvents(logs.stdout).at(-1)?.type, 'approval.requested');
  const shown = await agent(['show', 'ask-1']);
  assert.match(shown.stdout, /answer: agent approve\|deny ask-1 a1/);

  const other = await agent(['approve', 'ask-1', 'a9']);
  assert.equal(other.code, 2);
  assert.match(other.stderr, /Request a9 is not waiting in run ask-1; waiting: a1/);
  const approved = await agent(['approve', 'ask-1', '--reason', 'looks fine']);
  assert.equal(approved.code, 0, approved.stderr);

  const attached = await agent(['attach', 'ask-1']);
  assert.deepEqual([attached.code, attached.stdout], [0, 'Do it: done.\n'], attached.stderr);
  assert.match(attached.stderr, /a1 approved by .*: looks fine/);
  assert.equal(await readFile(join(workspace, 'AGENTS.md'), 'utf8'), 'be kind\n');

  const late = await agent(['deny', 'ask-1']);
  assert.equal(late.code, 2);
  assert.match(late.stderr, /No approval is waiting in run ask-1/);
  const taken = await agent(['run', '--id', 'ask-1', 'Again']);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /Run "ask-1" exists already/);
});

test('--json prints gapless events and nothing else; attach reads on from any of them', async () => {
  const ended = await agent(['run', '--json', '--approve', 'auto', '--id', 'json-1', 'Write it']);
  assert.equal(ended.code, 0, ended.stderr);
  const events = parseEvents(ended.stdout);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['run.started', 'run.finished']);
  const again = await agent(['attach', 'json-1', '--json', '--from', '5']);
  assert.deepEqual(parseEvents(again.stdout), events.slice(4));
  const followed = await agent(['logs', '-f', '--json', 'json-1']);
  assert.deepEqual(parseEvents(followed.stdout), events);
});

test('a detached run prints its name; a question is answered with say', async () => {
  const started = await agent(['run', '--detach', '--id', 'say-1', 'Paint it'], asker);
  assert.deepEqual([started.code, started.stdout], [0, 'say-1\n'], started.stderr);
  const asked = await agent(['attach', 'say-1'], asker);
  assert.equal(asked.code, 3, asked.stderr);
  assert.match(asked.stderr, /question q1: Which colour\?/);
  assert.match(asked.stderr, /agent say say-1/);
  const wrong = await agent(['approve', 'say-1'], asker);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /waits for an answer in words: Which colour\?/);
  assert.equal((await agent(['say', 'say-1', 'blue'], asker)).code, 0);
  const done = await agent(['attach', 'say-1'], asker);
  assert.equal(done.code, 0, done.stderr);
});

test('a run is paused, resumed and cancelled by name; afterwards it has ended', async () => {
  await agent(['run', '--detach', '--id', 'stop-1', 'Paint it'], asker);
  for (const verb of ['pause', 'resume', 'cancel']) {
    const sent = await agent([verb, 'stop-1', '--json'], asker);
    assert.deepEqual(JSON.parse(sent.stdout), { run: 'stop-1', sent: true }, sent.stderr);
  }
  const ended = await agent(['attach', 'stop-1'], asker);
  assert.equal(ended.code, 130, ended.stderr);
  const late = await agent(['pause', 'stop-1'], asker);
  assert.equal(late.code, 2);
  assert.match(late.stderr, /Run stop-1 has ended: cancelled/);
});

test('an unknown run is exit 2 with the nearest name, also with a server to ask', async () => {
  const commands =
    'show,attach,logs,logs -f,logs --call 1,pause,resume,cancel,cancel --force,approve,deny,diff,undo,promote,' +
    'rewind --step 1,fork --step 1,audit verify,audit reconcile,audit export,audit tail';
  for (const command of commands.split(',')) {
    const ended = await agent([...command.split(' '), 'jsom-1']);
    assert.equal(ended.code, 2, `${command}: ${ended.stderr}`);
    assert.match(ended.stderr, /There is no run "jsom-1"\. Did you mean json-1/, command);
  }
});

test('logs say what a tool returned and an edit changed; --call says all of it', async () => {
  const logs = await agent(['logs', 'ask-1']);
  assert.match(logs.stdout, /✓ write_file AGENTS\.md .*\n.* @@ .*\n.* \+be kind\n/);
  const call = await agent(['logs', 'ask-1', '--call', '1']);
  assert.match(call.stdout, /^@@ .*\n[^]*\+be kind\n(?:Created|Replaced) AGENTS\.md/);
  const shown = await agent(['show', 'ask-1']);
  assert.match(shown.stdout, /last calls\n.*write_file AGENTS\.md[^]*\+be kind/);
  const none = await agent(['logs', 'ask-1', '--call', '9']);
  assert.deepEqual([none.code, none.stdout], [2, '']);
});

test('a policy is in force although a run could not be told; that is no failure', async () => {
  await rm(join(workspace, 'AGENTS.md'));
  await agent(['run', '--id', 'told-1', 'Write the rules']);
  const keys = join('dev-agent', 'keys');
  const [own, other] = [join(place.root, 'config'), join(place.root, 'other')];
  await mkdir(join(other, keys), { recursive: true, mode: 0o700 });
  await copyFile(join(own, keys, 'payload-keys'), join(other, keys, 'payload-keys'));
  const stranger = { ...place.env, XDG_CONFIG_HOME: other };
  const ended = await runAgent(['policies', 'reload'], { env: stranger, cwd: workspace });
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /is in force/);
  assert.match(ended.stderr, /Run told-1 was not told: /);
  await agent(['cancel', 'told-1']);
});

for (const columns of [40, 80, 200]) {
  test(
    `in a terminal of ${columns} columns a person answers, and Ctrl-C leaves the run: 6`,
    { skip: noTmux },
    async () => {
      const id = `tty-${columns}`;
      const env = { PATH: process.env['PATH'] ?? '', ...place.env, OPENAI_BASE_URL: asker.baseUrl };
      const open = (...args: readonly string[]) =>
        openTmux([process.execPath, entry, ...args], { columns, env, cwd: workspace });
      const first = open('run', '--id', id, 'Paint it');
      try {
        await first.waitFor(/Your answer:$/, 60_000);
        first.press('C-c');
        assert.equal(await first.ended(), 6, first.scrollback());
        assert.match(first.screen(), new RegExp(`agent attach ${id}`));
        assert.doesNotMatch(first.screen(), /☐|▶|tokens/);
      } finally {
        first.close();
      }
      const second = open('attach', id);
      try {
        await second.waitFor(/Your answer:$/, 60_000);
        second.type('blue');
        second.press('Enter');
        assert.equal(await second.ended(60_000), 0, second.scrollback());
        assert.match(second.scrollback(), /answers q1: blue/);
        assert.doesNotMatch(second.screen(), /☐|▶/);
      } finally {
        second.close();
      }
    },
  );
}
