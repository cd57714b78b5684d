import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { followApprovers, isApprover } from '../../audit/record/keys/approvers.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';

const root = mkdtempSync(join(tmpdir(), 'agent-approvers-'));
after(() => rmSync(root, { recursive: true, force: true }));
const ann = ensureSigningKey(join(root, 'ann.pem'));
const bob = ensureSigningKey(join(root, 'bob.pem'));
const broken = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';

test('a block that is no key is passed over, with one warning, and the others count', () => {
  const file = join(root, 'some.pem');
  const warnings: string[] = [];
  const approvers = followApprovers(file, (why) => warnings.push(why));
  const ids = (): string[] => approvers().map(({ id }) => id);
  assert.deepEqual(ids(), []);
  writeFileSync(file, ann.pem);
  assert.deepEqual(ids(), [ann.id]);
  writeFileSync(file, ann.pem + broken + bob.pem);
  assert.deepEqual(ids(), [ann.id, bob.id]);
  assert.deepEqual(ids(), [ann.id, bob.id]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /some\.pem: key 2 is ignored .*Expected Ed25519/);
  // A key that was taken out does not count, whatever else is wrong with the file.
  writeFileSync(file, bob.pem + broken);
  assert.deepEqual(ids(), [bob.id]);
});

test('while the file cannot be read, the keys it had count; without it none does', () => {
  const file = join(root, 'gone.pem');
  const warnings: string[] = [];
  const approvers = followApprovers(file, (why) => warnings.push(why));
  writeFileSync(file, ann.pem);
  assert.equal(approvers().length, 1);
  rmSync(file);
  mkdirSync(file);
  assert.equal(approvers().length, 1);
  assert.match(warnings.join(), /cannot be read .*EISDIR/);
  rmSync(file, { recursive: true });
  assert.equal(approvers().length, 0);
});

test('a key counts that is in the file a moment later', async () => {
  const file = join(root, 'late.pem');
  const approvers = followApprovers(file, assert.fail);
  writeFileSync(file, '');
  const asked = isApprover(approvers, ann.id);
  writeFileSync(file, ann.pem);
  assert.equal(await asked, true);
  assert.equal(await isApprover(approvers, bob.id), false);
});
