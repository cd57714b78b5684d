import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HooksError, readHooks } from '../../config/hooks.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { parseHooks } from '../../policies/hooks.ts';
import { parsePolicy } from '../../policies/parse.ts';
import { shippedDir } from './cases.ts';

const toText = (...lines: readonly string[]): string =>
  ['version: 1', 'hooks:', ...lines].map((line) => `${line}\n`).join('');

test('a hook has a name and a command, and what it leaves out is usual', () => {
  const text = toText(
    '  - name: test',
    '    command: npm test',
    '  - { name: lint, argv: [npm, run, lint], when: after-step, timeoutSeconds: 9, required: false }',
  );
  assert.deepEqual(parseHooks(text), {
    ok: true,
    hooks: [
      {
        name: 'test',
        command: { command: 'npm test' },
        when: 'at-end',
        timeoutSeconds: 300,
        required: true,
      },
      {
        name: 'lint',
        command: { argv: ['npm', 'run', 'lint'] },
        when: 'after-step',
        timeoutSeconds: 9,
        required: false,
      },
    ],
  });
});

for (const [lines, expected] of [
  [
    ['  - name: test', '    command: npm test', '    when: afterstep'],
    '5 hooks[0].when is text; expected "after-step", "at-end"',
  ],
  [['  - name: test'], '3 hooks[0]: it has no command; expected either command: npm test, or argv'],
  [
    ['  - { name: a, command: ls, argv: [ls] }'],
    '3 hooks[0]: it has both; expected either command: npm test, or argv: [npm, test]',
  ],
  [
    ['  - { name: a, command: ls, timeoutSeconds: soon }'],
    '3 hooks[0].timeoutSeconds is text; expected number',
  ],
  [
    ['  - { name: a, command: ls, require: true }'],
    '3 unknown key in hooks[0]; expected version, or hooks with name',
  ],
  [
    ['  - { name: a, command: ls }', '  - { name: a, command: pwd }'],
    '4 hooks[1].name is that of another hook; expected another name',
  ],
] as const)
  test(`a mistake is named by line, value and expectation: ${expected}`, () => {
    const parsed = parseHooks(toText(...lines));
    assert.ok(!parsed.ok);
    const told = parsed.problems.map(
      ({ line, message, expected: wanted }) => `${line} ${message}; expected ${wanted}`,
    );
    assert.equal(told.length, 1);
    assert.ok(told[0]?.startsWith(expected), told[0]);
  });

test('the operator writes hooks in tools.yaml', async () => {
  const { files } = await readPolicyBundle(shippedDir);
  const tools = `${files.tools}\nhooks:\n  - name: types\n    command: tsc --noEmit\n`;
  const parsed = parsePolicy({ ...files, tools });
  assert.ok(parsed.ok);
  assert.deepEqual(
    parsed.policy.hooks.map(({ name }) => name),
    ['types'],
  );
  assert.ok(!parsePolicy({ ...files, tools: `${tools}  - name: types\n` }).ok);
});

test('the file of a workspace is read, and with a mistake it is an error of configuration', () => {
  const workspace = mkdtempSync(join(tmpdir(), 'dev-agent-hooks-'));
  after(() => rmSync(workspace, { recursive: true, force: true }));
  assert.deepEqual(readHooks(workspace), []);
  mkdirSync(join(workspace, '.agent'));
  writeFileSync(join(workspace, '.agent/hooks.yaml'), toText('  - { name: a, command: ls }'));
  assert.equal(readHooks(workspace)[0]?.name, 'a');
  writeFileSync(join(workspace, '.agent/hooks.yaml'), toText('  - name: 7', '    command: ls'));
  assert.throws(
    () => readHooks(workspace),
    (error) =>
      error instanceof HooksError &&
      error.exitCode === 78 &&
      /\.agent\/hooks\.yaml:3:11: hooks\[0\]\.name is a number; expected text/.test(error.message),
  );
});
