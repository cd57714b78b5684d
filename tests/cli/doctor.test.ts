import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOperator } from '../../cli/checks/machine.ts';

test('doctor warns an operator who is root, and says how to run as a user of its own', () => {
  const { state, remedy } = checkOperator(0);
  assert.equal(state, 'warn');
  assert.match(remedy ?? '', /A user of its own/);
  assert.equal(checkOperator(1000).state, 'ok');
  assert.equal(checkOperator(undefined).state, 'ok');
});
