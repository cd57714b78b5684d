/** A run changes a file only while it knows what is in it. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { performAction } from '../../activities/act/act.ts';
import type { ActDependencies, Acted } from '../../activities/act/call.ts';
import type { ApprovalDetails, Approval } from '../../activities/contract/approval.ts';
import type { Ref } from '../../activities/contract/refs.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { signAnswer } from '../../audit/record/keys/answer-signature.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { parsePolicy } from '../../policies/parse.ts';
import { shippedDir } from '../policies/cases.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { builtIn } from '../../tools/built-in.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-versions-')));
after(() => rmSync(root, { recursive: true, force: true }));
const shipped = (await readPolicyBundle(shippedDir)).files;
const parsed = parsePolicy(shipped);
assert.ok(parsed.ok);
const { policy } = parsed;

let rooms = 0;

function createRoom() {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  const state = join(root, `s${rooms}`);
  mkdirSync(workspace);
  const audit = createAuditLog(join(state, 'audit'));
  after(() => audit.close());
  const key = ensureSigningKey(join(state, 'key.pem'));
  const worker = (): ActDependencies => ({
    audit,
    spillDir: join(state, 'spill'),
    tools: builtIn,
    blobs: createBlobStore(join(state, 'blobs')),
    policy: () => Promise.resolve({ policy, sha256: 'p' }),
    sandbox: { kind: 'unavailable', reason: 'None is needed here.', fix: 'Nothing to do.' },
    approvers: () => [key],
    transactions: createTransactions(createLeases(join(state, 'leases')), join(state, 'snapshots')),
  });
  let dependencies = worker();
  let seq = 0;
  let previous: Ref | undefined;
  const act = async (
    tool: string,
    args: Readonly<Record<string, unknown>>,
    approved?: { readonly approval: Approval; readonly against?: string; readonly seq: number },
  ): Promise<Acted> => {
    if (approved === undefined) seq += 1;
    const acted = await performAction(dependencies, {
      run: 'r',
      step: 's1',
      call: `c${seq}`,
      tool,
      args,
      workspace,
      seq,
      previous,
      ...approved,
      signal: new AbortController().signal,
    });
    previous = acted.observation ?? previous;
    return acted;
  };
  const approve = (asked: Acted): { approval: Approval; against?: string; seq: number } => {
    const words = { request: 'a1', digest: asked.digest, answer: 'approve', by: 'p' } as const;
    const signature = signAnswer(key, { run: 'r', ...words });
    return { approval: { ...words, signature }, seq, against: asked.against };
  };
  return {
    act,
    approve,
    workspace,
    blobs: () => dependencies.blobs,
    put: (path: string, text: string) => writeFileSync(join(workspace, path), text),
    text: (path: string) => readFileSync(join(workspace, path), 'utf8'),
    /** Another process takes over: it knows what the record says. */
    restart: () => (dependencies = worker()),
  };
}

const changes = [
  ['write_file', { content: 'by the model\n' }],
  ['edit_file', { old: 'one', new: 'two' }],
  ['delete_file', {}],
] as const;

for (const [tool, args] of changes)
  test(`${tool}: a file that a person changed since it was read is left alone until it is read again`, async () => {
    const { act, put, text, restart } = createRoom();
    put('conf.ini', 'one\n');
    await act('read_file', { path: 'conf.ini' });
    put('conf.ini', 'one\nby a person\n');
    restart();
    const refused = await act(tool, { path: 'conf.ini', ...args });
    assert.equal(refused.ok, false);
    assert.match(refused.text, /changed by the user or a command.*Read it again/s);
    assert.equal(text('conf.ini'), 'one\nby a person\n');
    await act('read_file', { path: 'conf.ini' });
    assert.ok((await act(tool, { path: 'conf.ini', ...args })).ok);
  });

test('a file that was never read is not written over or deleted, and an exact edit of it is made', async () => {
  const { act, put, text } = createRoom();
  put('mine.txt', 'mine\n');
  for (const [tool, args] of changes.filter(([name]) => name !== 'edit_file')) {
    const refused = await act(tool, { path: 'mine.txt', ...args });
    assert.match(refused.text, /have not read it in this run/);
    assert.equal(refused.ok, false);
  }
  assert.equal(text('mine.txt'), 'mine\n');
  assert.ok((await act('edit_file', { path: 'mine.txt', old: 'mine', new: 'ours' })).ok);
  assert.equal(text('mine.txt'), 'ours\n');
});

test('new files, empty files, what is written as it is, and the run’s own files need no reading', async () => {
  const { act, put, text, restart } = createRoom();
  put('empty', '');
  put('same', 'same\n');
  const write = async (path: string, content: string): Promise<void> =>
    assert.ok((await act('write_file', { path, content })).ok, path);
  await write('empty', 'x');
  await write('same', 'same\n');
  await write('new/file', '1\n');
  restart();
  await write('new/file', '2\n');
  assert.ok((await act('edit_file', { path: 'new/file', old: '2', new: '3' })).ok);
  await write('new/file', '4\n');
  assert.ok((await act('delete_file', { path: 'new/file' })).ok);
  await write('new/file', '5\n');
  assert.equal(text('new/file'), '5\n');
});

test('a part that was read stands for the file, a name for the file it leads to', async () => {
  const { act, put, workspace } = createRoom();
  put('long.txt', 'a\nb\nc\n');
  symlinkSync('long.txt', join(workspace, 'link'));
  await act('read_file', { path: 'link', startLine: 2, endLine: 2 });
  assert.ok((await act('write_file', { path: './long.txt', content: 'd\n' })).ok);
});

test('what cannot be shown as text can be replaced after it was looked at', async () => {
  const { act, put, workspace } = createRoom();
  put('picture', 'a\0b');
  put('large', 'x');
  truncateSync(join(workspace, 'large'), 8 * 1024 * 1024);
  for (const path of ['picture', 'large']) {
    assert.match((await act('delete_file', { path })).text, /have not read/);
    assert.equal((await act('read_file', { path })).ok, false);
    assert.ok((await act('delete_file', { path })).ok, path);
  }
});

test('an approval counts for the version that was shown, and the change is shown anew after it', async () => {
  const { act, approve, put, text, blobs } = createRoom();
  const edit = { path: 'AGENTS.md', old: 'one', new: 'two' };
  put('AGENTS.md', 'one\n');
  const first = await act('edit_file', edit);
  assert.equal(first.verdict, 'ask');
  put('AGENTS.md', 'zero\none\n');
  const second = await act('edit_file', edit, approve(first));
  assert.equal(second.verdict, 'ask');
  assert.notEqual(second.digest, first.digest);
  assert.equal(text('AGENTS.md'), 'zero\none\n');
  const details = await blobs().getJson<ApprovalDetails>(second.details ?? '');
  assert.match(details.diff ?? '', /^ zero$/m);
  const done = await act('edit_file', edit, approve(second));
  assert.equal(done.verdict, 'allow');
  assert.equal(text('AGENTS.md'), 'zero\ntwo\n');
  // Handed out again: what is done is done, although the file is another by now.
  const again = await act('edit_file', edit, approve(second));
  assert.equal(again.verdict, 'allow');
  assert.equal(text('AGENTS.md'), 'zero\ntwo\n');
});

test('nobody is asked about a change of a file that the run does not know', async () => {
  const { act, put } = createRoom();
  put('AGENTS.md', 'mine\n');
  const refused = await act('write_file', { path: 'AGENTS.md', content: 'x\n' });
  assert.equal(refused.verdict, 'deny');
  assert.equal(refused.rule, 'files.version');
});
