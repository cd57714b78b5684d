import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import { decodeFailure, decodePayloads } from '../../audit/mirror/history-json.ts';
import { createPayloadCodec } from '../../audit/record/keys/payload-codec.ts';
import {
  ensurePayloadKeys,
  findPayloadKeys,
  readPayloadKeys,
} from '../../audit/record/keys/payload-keys.ts';
import type { Settings } from '../../config/environment.ts';
import { findOpenRefs, findRefs } from '../../audit/record/refs.ts';
import { samples } from '../policies/secrets.ts';

const folder = mkdtempSync(join(tmpdir(), 'agent-keys-'));
after(() => rmSync(folder, { recursive: true, force: true }));
// Whoever runs the tests may have keys of their own.
process.env['XDG_CONFIG_HOME'] = join(folder, 'config');

const newKey = (): string => randomBytes(32).toString('base64');
const [one, two] = [newKey(), newKey()];
const write = (name: string, text: string, mode = 0o600): string => {
  const file = join(folder, name);
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
};
const old = write('old', `k1 ${one}\n`);
const rotated = write('rotated', `# since March\nk2 ${two}\n\nk1 ${one}\n`);

const codecOf = (file?: string) =>
  createPayloadCodec(file === undefined ? {} : { keys: readPayloadKeys(file) });
const toPayload = (value: unknown): Payload => defaultPayloadConverter.toPayload<unknown>(value);
const turn = async (encode: string | undefined, decode: string | undefined, value: unknown) => {
  const sealed = await codecOf(encode).encode([toPayload(value)]);
  const [opened] = await codecOf(decode).decode(sealed);
  return defaultPayloadConverter.fromPayload(opened as Payload);
};

const of = (workflowId: string, namespace = 'default') =>
  ({ type: 'workflow', namespace, workflowId }) as const;

suite('payloads', () => {
  const value = { goal: 'Grüße an alle', list: [1, null, 'x'.repeat(10_000)] };

  test('come back as they were, encrypted or not', async () => {
    for (const file of [undefined, old, rotated])
      for (const each of [value, undefined, null, '', 0, new Uint8Array([0, 1, 255])])
        assert.deepEqual(await turn(file, file, each), each);
  });

  test('show nothing of their content, and never look the same twice', async () => {
    const [a, b] = await codecOf(old).encode([toPayload(value), toPayload(value)]);
    assert.ok(!Buffer.from(a?.data ?? []).includes('alle'));
    assert.notDeepEqual(a?.data, b?.data);
    assert.deepEqual(Object.keys(a?.metadata ?? {}), ['encoding', 'encryption-key-id']);
  });

  test('written before a key was rotated, or before there was one, can be read', async () => {
    assert.deepEqual(await turn(old, rotated, value), value);
    assert.deepEqual(await turn(undefined, rotated, value), value);
  });

  test('sealed for one workflow are not opened as those of another, nor in another namespace', async () => {
    const keys = readPayloadKeys(old);
    const codec = createPayloadCodec({ keys, bound: true });
    const sealed = await codec.encode([toPayload(value)], of('run-a'));
    const open = async (payloads: Payload[], context?: ReturnType<typeof of>) =>
      defaultPayloadConverter.fromPayload((await codec.decode(payloads, context))[0] as Payload);
    assert.deepEqual(await open(sealed, of('run-a')), value);
    const activity = { type: 'activity', namespace: 'default', isLocal: false } as const;
    const input = await codec.encode([toPayload(value)], { ...activity, workflowId: 'run-a' });
    assert.deepEqual(await open(input, of('run-a')), value);
    assert.deepEqual(await open(sealed), value, 'a record is read without');
    await assert.rejects(open(sealed, of('run-b')), /run-b contains a payload encrypted for run-a/);
    await assert.rejects(open(sealed, of('run-a', 'other')), /someone put it there/);
    // Nor by writing another name on it.
    for (const name of [Buffer.from('default\nrun-b'), undefined]) {
      const { 'encryption-context': _is, ...rest } = sealed[0]?.metadata ?? {};
      const metadata = name === undefined ? rest : { ...rest, 'encryption-context': name };
      await assert.rejects(open([{ ...sealed[0], metadata }], of('run-b')), /changed since/);
    }
    // As versions before this one wrote them.
    assert.deepEqual(await open(await codec.encode([toPayload(value)]), of('run-b')), value);
  });

  test('have a key of their own where none was named, made once and private', () => {
    const file = join(folder, 'config', 'keys', 'payload-keys');
    const settings = { payloadKeys: file, origins: { payloadKeys: 'default' } } as Settings;
    assert.equal(findPayloadKeys(settings), undefined);
    ensurePayloadKeys(settings);
    const made = findPayloadKeys(settings)?.active.id;
    assert.match(made ?? '', /^k-[0-9a-f]{8}$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    ensurePayloadKeys(settings);
    assert.equal(readPayloadKeys(file).active.id, made);
    const blocked = { ...settings, payloadKeys: join(file, 'keys') };
    assert.throws(
      () => ensurePayloadKeys(blocked),
      /cannot be made in .*E(?:NOTDIR|EXIST).*AGENT_PAYLOAD_KEYS/,
    );
    const named = { payloadKeys: join(folder, 'absent'), origins: { payloadKeys: 'environment' } };
    assert.throws(() => findPayloadKeys(named as Settings), /cannot be read: ENOENT/);
  });

  test('say which key is missing or wrong', async () => {
    await assert.rejects(turn(rotated, old, value), /key "k2", which is not in .*old; it has k1/);
    await assert.rejects(turn(old, undefined, value), /key "k1".*AGENT_PAYLOAD_KEYS=<file>/);
    const wrong = write('wrong', `k1 ${two}\n`);
    await assert.rejects(turn(old, wrong, value), /another key of that name, or changed/);
  });

  test('that were changed are not opened', async () => {
    const [sealed] = await codecOf(old).encode([toPayload(value)]);
    const data = Buffer.from(sealed?.data ?? []);
    for (const at of [0, 12, 40, data.length - 1]) {
      const changed = Buffer.from(data);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await assert.rejects(codecOf(old).decode([{ ...sealed, data: changed }]), /changed since/);
    }
    const renamed = { ...sealed?.metadata, 'encryption-key-id': Buffer.from('k2') };
    const both = write('both', `k1 ${one}\nk2 ${one}\n`);
    await assert.rejects(codecOf(both).decode([{ ...sealed, metadata: renamed }]), /changed since/);
  });

  test('lose their secrets on the way out', async () => {
    const secret = samples[2]?.[1] ?? '';
    for (const file of [undefined, old])
      assert.equal(await turn(file, file, `a ${secret} b`), 'a [secret:github-token] b');
  });
});

suite('a file of keys', () => {
  for (const [name, text, problem, mode] of [
    ['readable by others', `k1 ${one}\n`, /others may read it\. Run: chmod 600/, 0o644],
    ['empty', '# nothing\n', /holds no key\. Make one with: echo "k1/],
    ['with a short key', 'k1 c2hvcnQ=\n', /line 1 must be a name, a space and 32 bytes in base64/],
    ['with a name twice', `k1 ${one}\nk1 ${two}\n`, /line 2: there is a key "k1" above it/],
  ] as const)
    test(name, () => {
      assert.throws(() => readPayloadKeys(write('bad', text, mode)), problem);
      assert.throws(
        () => readPayloadKeys(write('bad', text, mode)),
        (error: Error) => !error.message.includes(one),
      );
    });

  test('that is not there', () => {
    assert.throws(() => readPayloadKeys(join(folder, 'absent')), /cannot be read: ENOENT/);
  });
});

const toJson = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, bytes]) => [
      name,
      Buffer.from(bytes).toString('base64'),
    ]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
const withKeys = <T>(file: string, work: () => T): T => {
  process.env['AGENT_PAYLOAD_KEYS'] = file;
  try {
    return work();
  } finally {
    delete process.env['AGENT_PAYLOAD_KEYS'];
  }
};

suite('records of an encrypted history', () => {
  const ref = `sha256:${'a1'.repeat(32)}`;

  test('are read with the keys of the settings: values, refs and failures', async () => {
    const failure = { message: 'no such file', stackTrace: '' };
    const sealed = await codecOf(old).encode([toPayload({ plan: ref }), toPayload(failure)]);
    const [payload, attributes] = sealed.map(toJson);
    const line = JSON.stringify({
      kind: 'event',
      event: { a: { input: { payloads: [payload] } } },
    });
    withKeys(old, () => {
      assert.deepEqual(decodePayloads({ payloads: [payload] }), [{ plan: ref }]);
      assert.deepEqual(findRefs(line), [ref]);
      const hidden = { message: 'Encoded failure', encodedAttributes: attributes };
      assert.equal(decodeFailure({ message: 'Activity failed', cause: hidden }), 'no such file');
    });
    assert.throws(() => findRefs(line), /no keys are set/);
    assert.deepEqual(findOpenRefs(line), []);
  });
});
