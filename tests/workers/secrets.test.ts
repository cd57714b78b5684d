import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInterceptorsFactory } from '@temporalio/worker';
import { createLogFile } from '../../workers/log-file.ts';
import { maskFailures } from '../../workers/mask-failures.ts';
import { createSecrets } from '../../workers/secrets.ts';
import { samples } from '../policies/secrets.ts';

const scratch = mkdtempSync(join(tmpdir(), 'agent-secrets-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const token = samples.find(([kind]) => kind === 'npm-token')?.[1] ?? '';

test('a process knows the secrets of its environment, and those it is told', () => {
  const secrets = createSecrets({ A_TOKEN: 'first-one', PLAIN: 'second-one' }, ['PLAIN']);
  secrets.accept({ type: 'key', baseUrl: 'http://x', apiKey: 'third-one' });
  secrets.accept({
    type: 'secrets',
    values: [{ name: 'B', value: 'fourth-one' }, { name: 1 }, null],
  });
  secrets.accept({ type: 'secrets', values: 'nothing' });
  secrets.accept(undefined);
  assert.equal(
    secrets.redactor.mask('first-one second-one third-one fourth-one'),
    '[secret:A_TOKEN] [secret:PLAIN] [secret:OPENAI_API_KEY] [secret:B]',
  );
});

test('what an activity throws has none in message, stack, details and cause, and is the same error', async () => {
  const cause = new Error(`no such key ${token}`);
  const thrown = ApplicationFailure.create({
    message: `failed with ${token}`,
    type: 'Kind',
    details: [{ key: token }],
    cause,
  });
  const { redactor } = createSecrets({});
  const factory = maskFailures(redactor) as (
    ...args: unknown[]
  ) => ReturnType<ActivityInterceptorsFactory>;
  const execute = factory().inbound?.execute;
  const input = { args: [], headers: {} } as ActivityExecuteInput;
  await assert.rejects(
    async () => await execute?.(input, () => Promise.reject(thrown)),
    (error) => error === thrown,
  );
  assert.equal(thrown.type, 'Kind');
  assert.equal(thrown.message, 'failed with [secret:npm-token]');
  assert.deepEqual(thrown.details, [{ key: '[secret:npm-token]' }]);
  const all = [
    thrown.message,
    thrown.stack,
    JSON.stringify(thrown.details),
    cause.message,
    cause.stack,
  ];
  assert.ok(!all.join('\n').includes(token), all.join('\n'));
});

test('a log file has none, not even one that comes in two pieces', () => {
  const path = join(scratch, 'part.log');
  const log = createLogFile(path);
  for (const piece of [
    `one ${token.slice(0, 12)}`,
    `${token.slice(12)} two\n`,
    'last words without an end',
  ])
    log.write(piece);
  assert.equal(log.lastLine(), 'last words without an end');
  log.close();
  assert.equal(readFileSync(path, 'utf8'), 'one [secret:npm-token] two\nlast words without an end');
});

test('a log line has none', () => {
  const code = `const { createLogger } = await import(${JSON.stringify(new URL('../../workers/logger.ts', import.meta.url))});
    createLogger('test').warn({ error: new Error('with ' + process.argv[1]), deep: { token: process.argv[1] } }, 'warned');`;
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code, token], {
    encoding: 'utf8',
  });
  assert.ok(!stderr.includes(token), stderr);
  assert.equal((JSON.parse(stderr) as { msg: string }).msg, 'warned');
});
