import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { findTextProblem } from '../../audit/record/keys/answer-signature.ts';
import { createOrderLedger } from '../../audit/record/keys/order-ledger.ts';
import {
  noncePattern,
  signMessage,
  signOrder,
  toMessageText,
  toOrderText,
  toSignedPromotion,
  toSignedRun,
} from '../../audit/record/keys/order-signature.ts';
import { toSent } from '../../audit/record/keys/payload-codec.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';
import type { PromotionInput, RunInput } from '../../workflows/contract.ts';
import { input as told } from './told-history.ts';

const root = mkdtempSync(join(tmpdir(), 'agent-orders-'));
after(() => rmSync(root, { recursive: true, force: true }));
const key = ensureSigningKey(join(root, 'operator.pem'));
const nonce = randomUUID();
const input: RunInput = {
  ...told,
  from: { kind: 'fork', run: 'a', step: 's1', workspace: '/w', tree: '0' },
  stagedFrom: '/project',
  historyLimit: 7,
};

suite('the order of a run', () => {
  const order = signOrder(key, toSignedRun(input, nonce, { round: 1 }));
  const problemOf = (given: RunInput, number = nonce, carried: unknown = { round: 1 }) =>
    findTextProblem([key], toOrderText(toSignedRun(given, number, carried)), order.signature);

  test('counts for exactly what was signed, in whatever order its parts come', () => {
    assert.equal(problemOf(input), undefined);
    const turned = Object.fromEntries(Object.entries(input).toReversed()) as unknown as RunInput;
    assert.equal(problemOf({ ...turned, order, standing: order.signature }), undefined);
  });

  for (const name of Object.keys(input) as (keyof RunInput)[])
    test(`does not count with another ${name}, or without it`, () => {
      const { [name]: was, ...rest } = input;
      const other = typeof was === 'string' ? `${was}x` : { ...(was as object), x: 1 };
      assert.match(problemOf({ ...input, [name]: other }) ?? '', /does not match its content/);
      if (name !== 'goal')
        assert.match(problemOf(rest as unknown as RunInput) ?? '', /does not match its content/);
    });

  test('does not count with something added, another number or another state', () => {
    assert.match(problemOf({ ...input, wait: true }) ?? '', /does not match its content/);
    assert.match(problemOf({ ...input, more: 1 } as RunInput) ?? '', /does not match its content/);
    assert.match(problemOf(input, randomUUID()) ?? '', /does not match its content/);
    assert.match(problemOf(input, nonce, { round: 2 }) ?? '', /does not match its content/);
    const bare = toOrderText(toSignedRun(input, nonce));
    assert.match(findTextProblem([key], bare, order.signature) ?? '', /does not match its content/);
  });

  test('is no order of another kind, and a promotion’s is none of a run', () => {
    const request = { ...input, by: 'ann', target: '/t', stage: '/s', base: '0', tree: '1' };
    const promotion = { queues: input.queues, request } as unknown as PromotionInput;
    const text = toOrderText(toSignedPromotion(promotion, nonce));
    assert.match(findTextProblem([key], text, order.signature) ?? '', /does not match its content/);
  });

  test('says of its goal only the digest', () => {
    assert.ok(!toOrderText(toSignedRun(input, nonce)).includes(input.goal));
  });

  test('of a goal with a secret counts for what arrives', () => {
    const redactor = createRedactor([{ name: 'TOKEN', value: 'hunter2-hunter2' }]);
    const sent = toSent(redactor, { ...input, goal: 'use “hunter2-hunter2”, ü' });
    assert.equal(sent.goal, 'use “[secret:TOKEN]”, ü');
    assert.deepEqual(toSent(redactor, sent), sent);
  });

  test('is never taken for a secret', () => {
    const redactor = createRedactor();
    for (let n = 0; n < 500; n++) {
      const number = randomUUID();
      assert.match(number, noncePattern);
      const signed = { ...input, order: signOrder(key, toSignedRun(input, number)) };
      assert.deepEqual(toSent(redactor, signed), signed);
    }
  });
});

test('a message counts for one run, one number and what it says', () => {
  const message = { run: 'a', order: nonce, what: 'say', by: 'ann', about: 'x' } as const;
  const numbered = { ...message, nonce: randomUUID(), sent: 1 };
  const { signature } = signMessage(key, numbered);
  const problemOf = (more: object) =>
    findTextProblem([key], toMessageText({ ...numbered, ...more }), signature);
  assert.equal(problemOf({}), undefined);
  for (const other of [
    { run: 'b' },
    { order: randomUUID() },
    { what: 'cancel' },
    { by: 'bob' },
    { about: 'y' },
    { about: undefined },
    { nonce: randomUUID() },
    { sent: 2 },
  ])
    assert.match(problemOf(other) ?? '', /does not match its content/, JSON.stringify(other));
});

test('a signature may be anything', () => {
  for (const odd of [null, 1, 'x', [], {}, { key: 1, value: 2 }, { key: 'k' }, { value: 'v' }])
    assert.match(findTextProblem([key], 'text', odd) ?? '', /is not valid/);
  for (const value of ['', 'AAAA', '!', 'A'.repeat(10_000)])
    assert.match(
      findTextProblem([key], 'text', { key: key.id, value }) ?? '',
      /does not match its content/,
    );
});

const toUsed = (number: string, chain: string) => {
  const signed = toSignedRun(input, number);
  const { signature } = signOrder(key, signed);
  return { signed, signature, chain, since: new Date().toISOString() };
};

suite('the ledger of orders', () => {
  const folder = join(root, 'state', 'orders');
  const ledger = createOrderLedger(folder);

  test('gives an order to the first chain that claims it, for good and for every process', () => {
    const number = randomUUID();
    assert.equal(ledger.read(number), undefined);
    assert.equal(ledger.claim(toUsed(number, 'one')).chain, 'one');
    assert.equal(ledger.claim(toUsed(number, 'two')).chain, 'one');
    assert.equal(createOrderLedger(folder).claim(toUsed(number, 'three')).chain, 'one');
    assert.equal(ledger.find(input.run)?.signed.nonce, number);
    assert.equal(ledger.find('other'), undefined);
  });

  test('remembers in which execution it ended', () => {
    const number = randomUUID();
    assert.equal(ledger.readEnd(number), undefined);
    ledger.end(number, 'e1');
    ledger.end(number, 'e2');
    assert.equal(ledger.readEnd(number), 'e1');
  });

  test('ends every order of a run that was ended from outside, and one that no worker used yet', () => {
    const [used, unused, others] = [randomUUID(), randomUUID(), randomUUID()];
    ledger.claim(toUsed(used, 'one'));
    const signed = toSignedRun({ ...input, run: 'other' }, others);
    ledger.claim({ ...toUsed(others, 'two'), signed });
    ledger.endRun(input.run, unused);
    for (const number of [used, unused]) assert.equal(ledger.readEnd(number), 'outside');
    // Numbers come from the server, which anybody may have told.
    for (const odd of [others, '../../out', '']) ledger.endRun(input.run, odd);
    assert.equal(ledger.readEnd(others), undefined);
  });

  test('remembers the executions of an order, each once', () => {
    const number = randomUUID();
    assert.deepEqual(ledger.readSeen(number), []);
    for (const execution of ['e1', 'e2', 'e1']) ledger.see(number, execution);
    assert.deepEqual(createOrderLedger(folder).readSeen(number), ['e1', 'e2']);
  });

  test('is for the operator’s eyes, and leaves nothing half written', () => {
    assert.equal(statSync(folder).mode & 0o077, 0);
    for (const name of readdirSync(folder)) {
      assert.match(name, /\.(json|ended|seen)$/);
      assert.equal(statSync(join(folder, name)).mode & 0o077, 0);
    }
  });
});
