/** kill -9 at every point between a command's end and the commit of what it changed: held back or applied, never between. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProtectedRoom } from './protected-room.ts';
import type { ProtectedRoom } from './protected-room.ts';

const script =
  "const f=require('fs');f.appendFileSync('runs','x');f.writeFileSync('CLAUDE.md','evil');f.writeFileSync('.env.local','evil')";
const command = 'node evil.cjs';

/** Lets another worker do it, ended at the failpoint. */
function strike(room: ProtectedRoom, failpoint: string, ...args: string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'dev-agent-failpoints-'));
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, failpoint), '0');
    const worker = fileURLToPath(new URL('protected-worker.ts', import.meta.url));
    const ended = spawnSync(process.execPath, [worker, room.folder, command, ...args], {
      env: { ...process.env, AGENT_FAILPOINTS: folder },
      encoding: 'utf8',
    });
    assert.equal(ended.signal, 'SIGKILL', `${failpoint} was not passed: ${ended.stderr}`);
    assert.ok(existsSync(join(folder, `${failpoint}.hit`)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inRoom(work: (room: ProtectedRoom) => Promise<void>): Promise<void> {
  const room = await createProtectedRoom();
  try {
    room.write('evil.cjs', script);
    await work(room);
  } finally {
    await room.close();
  }
}

/** As it was before the command, in every file the command touches. */
const isUntouched = (room: ProtectedRoom): void => {
  for (const path of ['CLAUDE.md', '.env.local', 'runs']) assert.equal(room.read(path), undefined);
};

suite('a worker that dies while a change is held back', () => {
  for (const failpoint of ['held-ref.before', 'held-ref.after', 'parked-ref.before'])
    test(`at ${failpoint}: the next one asks the same, with the workspace as it was`, () =>
      inRoom(async (room) => {
        strike(room, failpoint, '1');
        const asked = await room.again(command, 1, { attempt: 2 });
        assert.equal(asked.change, true, asked.text);
        isUntouched(room);
        const once = await room.again(command, 1, { attempt: 3 });
        assert.equal(once.digest, asked.digest);
        isUntouched(room);
        const answered = await room.answer(command, asked, 'approve');
        assert.equal(answered.verdict, 'allow', answered.text);
        assert.deepEqual(['CLAUDE.md', 'runs', '.env.local'].map(room.read), [
          'evil',
          'x',
          undefined,
        ]);
      }));

  for (const failpoint of [
    'applied-ref.before',
    'applied-ref.after',
    'applied.after',
    'settle.before',
    'post-ref.before',
    'post-ref.after',
  ])
    for (const answer of ['approve', 'deny'] as const)
      test(`at ${failpoint}, after "${answer}": the next one ends it, without running it again`, () =>
        inRoom(async (room) => {
          const asked = await room.again(command, 1);
          strike(room, failpoint, '1', asked.digest, answer);
          const ended = await room.answer(command, asked, answer);
          assert.equal(ended.verdict, 'allow', ended.text);
          const claude = answer === 'approve' ? 'evil' : undefined;
          assert.deepEqual(['CLAUDE.md', 'runs', '.env.local'].map(room.read), [
            claude,
            'x',
            undefined,
          ]);
          const again = await room.answer(command, asked, answer);
          assert.equal(again.observation, ended.observation);
          const outcomes = (await room.record()).filter(({ kind }) => kind === 'outcome');
          assert.equal(outcomes.length, 1);
        }));
});

test('a worker that dies while it reverts what is denied: the next one leaves none of it', () =>
  inRoom(async (room) => {
    room.write('evil.cjs', script.replace('CLAUDE.md', 'notes'));
    strike(room, 'withheld.after', '1');
    const ended = await room.again(command, 1, { attempt: 2 });
    assert.equal(ended.ok, false);
    assert.deepEqual(['notes', 'runs', '.env.local'].map(room.read), ['evil', 'x', undefined]);
  }));

test('a person works in the folder while a change is held back: their work stays', () =>
  inRoom(async (room) => {
    const asked = await room.again(command, 1);
    room.write('mine.txt', 'mine');
    await room.answer(command, asked, 'approve');
    assert.deepEqual(['CLAUDE.md', 'mine.txt'].map(room.read), ['evil', 'mine']);
  }));

test('a person writes the same file meanwhile: theirs stays, and nothing of the command is applied', () =>
  inRoom(async (room) => {
    const asked = await room.again(command, 1);
    room.write('CLAUDE.md', 'mine');
    const answered = await room.answer(command, asked, 'approve');
    assert.equal(answered.ok, false);
    assert.deepEqual(['CLAUDE.md', 'runs'].map(room.read), ['mine', undefined]);
    assert.match(await room.text(answered), /nothing this command did was applied.*CLAUDE\.md/);
  }));
