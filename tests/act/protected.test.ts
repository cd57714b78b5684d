/**
 * What a rule of paths.yaml protects is as safe from commands as from file tools: every case of `cases/changes.jsonl` is a
 * command that changes such a file, every one of `cases/work.jsonl` ordinary work that must not be asked about.
 */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { findMixed } from '../../activities/act/screen.ts';
import { createProtectedRoom, git } from './protected-room.ts';
import type { ProtectedRoom } from './protected-room.ts';

interface Case {
  readonly id: string;
  readonly why: string;
  /** The command, or a script that node runs. */
  readonly command?: string;
  readonly script?: string;
  /** A script that runs as a command before, and may do what it does. */
  readonly first?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly nested?: readonly string[];
  /** Files of 2 MB, made before. */
  readonly large?: readonly string[];
  readonly hooksPath?: string;
  /** Files of a branch `other`. */
  readonly branch?: Readonly<Record<string, string>>;
  /** Exactly what a person is asked about. */
  readonly asks?: readonly string[];
  /** Reverted, and told by name. */
  readonly denied?: readonly string[];
  /** Either of the two, by whether the operator is root. */
  readonly withheld?: readonly string[];
  readonly unchanged?: readonly string[];
  readonly absent?: readonly string[];
  /** What is there in the end, whatever was held back. */
  readonly kept?: readonly string[];
}

const readCases = (name: string): Case[] =>
  readFileSync(join(import.meta.dirname, 'cases', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Case);

const isThere = (room: ProtectedRoom, path: string): boolean =>
  lstatSync(join(room.workspace, path), { throwIfNoEntry: false }) !== undefined;

function setUp(room: ProtectedRoom, given: Case): string {
  const { workspace } = room;
  if (given.branch !== undefined) {
    git(workspace, 'checkout', '-q', '-b', 'other');
    for (const [path, content] of Object.entries(given.branch)) room.write(path, content);
    git(workspace, 'add', '-A');
    git(workspace, 'commit', '-q', '-m', 'other');
    git(workspace, 'checkout', '-q', 'main');
  }
  for (const [path, content] of Object.entries(given.files ?? {})) room.write(path, content);
  for (const path of given.large ?? []) room.write(path, 'x'.repeat(2_000_000));
  for (const [path, target] of Object.entries(given.links ?? {})) {
    mkdirSync(dirname(join(workspace, path)), { recursive: true });
    symlinkSync(target, join(workspace, path));
  }
  for (const path of given.nested ?? []) {
    room.write(`${path}/a.txt`, 'a\n');
    git(join(workspace, path), 'init', '-q');
  }
  if (given.hooksPath !== undefined) git(workspace, 'config', 'core.hooksPath', given.hooksPath);
  if (given.script !== undefined) room.write('evil.cjs', given.script);
  if (given.first !== undefined) room.write('first.cjs', given.first);
  return given.command ?? 'node evil.cjs';
}

/** What a protected file was before; nothing may differ on disk while nobody has approved it. */
const lookAt = (room: ProtectedRoom, paths: readonly string[]) =>
  paths.map((path) => [path, room.read(path), toMode(join(room.workspace, path))]);

const toMode = (file: string): number | undefined =>
  lstatSync(file, { throwIfNoEntry: false })?.mode;

async function attack(given: Case, answer: 'approve' | 'deny'): Promise<void> {
  const room = await createProtectedRoom();
  try {
    const command = setUp(room, given);
    if (given.first !== undefined) assert.equal((await room.run('node first.cjs')).ok, true);
    const watched = [
      ...(given.asks ?? []),
      ...(given.denied ?? []),
      ...(given.withheld ?? []),
      ...(given.unchanged ?? []),
    ];
    const before = lookAt(room, watched);
    const acted = await room.run(command);
    assert.deepEqual(lookAt(room, watched), before, 'changed without a question');
    const isAsked =
      given.asks !== undefined || (given.withheld !== undefined && acted.change === true);
    assert.equal(acted.change === true, isAsked, acted.text);
    if (given.denied !== undefined) {
      assert.equal(acted.ok, false);
      const said = await room.text(acted);
      for (const path of given.denied) {
        assert.ok(!isThere(room, path), `${path} is there`);
        const top = path.split('/');
        const isNamed = top.some((_, at) => said.includes(top.slice(0, at + 1).join('/')));
        assert.ok(isNamed && /paths\.(?:write|delete)\./.test(said), said);
      }
    }
    if (isAsked) {
      const { changes = [] } = await room.details(acted);
      const asked = given.asks ?? given.withheld ?? [];
      assert.deepEqual(changes.map(({ path }) => path).toSorted(), [...asked].toSorted());
      const answered = await room.answer(command, acted, answer);
      assert.equal(answered.verdict, 'allow', answered.text);
      assert.equal(answered.ok, answer === 'approve', answered.text);
      if (answer === 'deny') assert.deepEqual(lookAt(room, watched), before, 'changed when denied');
      else assert.notDeepEqual(lookAt(room, watched), before, 'approved, and not applied');
      assert.match(await room.text(answered), answer === 'deny' ? /denied/ : /approved/);
    }
    for (const path of given.kept ?? []) assert.ok(isThere(room, path), `${path} was lost`);
    for (const path of given.absent ?? []) assert.ok(!isThere(room, path), `${path} is there`);
  } finally {
    await room.close();
  }
}

suite('commands that change what a rule protects', () => {
  for (const [index, given] of readCases('changes').entries()) {
    const answer = index % 2 === 0 ? 'deny' : 'approve';
    const end = given.asks === undefined ? 'reverted' : `asked about, ${answer}`;
    test(`${given.id} ${end}: ${given.why}`, () => attack(given, answer));
  }
});

suite('ordinary work', () => {
  for (const given of readCases('work'))
    test(`${given.id} is not asked about: ${given.why}`, async () => {
      const room = await createProtectedRoom();
      try {
        const acted = await room.run(setUp(room, given));
        assert.equal(acted.verdict, 'allow', acted.text);
        assert.equal(acted.ok, true, acted.text);
        assert.doesNotMatch(await room.text(acted), /\[dev-agent/);
        for (const path of given.kept ?? []) assert.ok(isThere(room, path), `${path} was lost`);
      } finally {
        await room.close();
      }
    });
});

const lines = (first: string, last: string): string =>
  [first, ...Array.from({ length: 20 }, (_, line) => `line ${line}`), last, ''].join('\n');

test('a merge of two steps mixes no protected file: what neither was approved with is a conflict', async () => {
  const room = await createProtectedRoom();
  try {
    const { policy } = await room.dependencies.policy(room.workspace);
    await room.dependencies.transactions.exclusive(room.workspace, 'r', async ({ snapshots }) => {
      const capture = async (first: string, last: string): Promise<string> => {
        for (const path of ['AGENTS.md', 'README.md']) room.write(path, lines(first, last));
        return (await snapshots.capture()).tree;
      };
      const base = await capture('a', 'b');
      const ours = await capture('x', 'b');
      const theirs = await capture('a', 'y');
      const merged = await snapshots.merge({ base, ours, theirs });
      assert.ok(merged.ok);
      const sides = { ours, theirs, merged: merged.tree };
      assert.deepEqual(await findMixed(snapshots, policy, sides), ['AGENTS.md']);
      assert.deepEqual(await findMixed(snapshots, policy, { ...sides, merged: theirs }), []);
    });
  } finally {
    await room.close();
  }
});
