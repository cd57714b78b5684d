import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { isTestRun } from '../../policies/commands/test-runs.ts';

for (const [command, expected] of [
  ['npm test', true],
  ['npm run test:unit -- a', true],
  ['cd packages/a && npm test', true],
  ['npm run build && npx vitest run', true],
  ['node --test tests/a.test.ts', true],
  ['python3 -m pytest -q', true],
  ['CI=1 cargo test', true],
  ['npm test 2>&1', true],
  ['npm test | tail -5', false],
  ['npm test || true', false],
  ['npm test; echo done', false],
  ['npm test -- --passWithNoTests', false],
  ['jest --listTests', false],
  ['make -n test', false],
  ['echo npm test', false],
  ['npm run build', false],
  ['for i in 1 2; do npm test; done', false],
] as const)
  test(`${command} → ${expected ? 'its exit code tells' : 'tells nothing'}`, () =>
    assert.equal(isTestRun(toCommandLine({ command })), expected));
