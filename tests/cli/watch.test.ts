import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunEvent } from '../../audit/events/run-event.ts';
import { oneStep } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { Ended, Place } from './program.ts';
import { createPlace, runAgent } from './program.ts';

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

const parseLines = (text: string): RunEvent[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);

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
  assert.equal((JSON.parse(logs.stdout) as RunEvent[]).at(-1)?.type, 'approval.requested');
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
  const events = parseLines(ended.stdout);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['run.started', 'run.finished']);
  const again = await agent(['attach', 'json-1', '--json', '--from', '5']);
  assert.deepEqual(parseLines(again.stdout), events.slice(4));
  const followed = await agent(['logs', '-f', '--json', 'json-1']);
  assert.deepEqual(parseLines(followed.stdout), events);
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
  const ended = await agent(['pause', 'jsom-1']);
  assert.equal(ended.code, 2);
  assert.match(ended.stderr, /There is no run "jsom-1"\. Did you mean json-1/);
});
