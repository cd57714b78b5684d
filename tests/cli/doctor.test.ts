import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDoor } from '../../cli/checks/services.ts';
import { checkOperator } from '../../cli/checks/machine.ts';

test('doctor warns an operator who is root, and says how to run as a user of its own', () => {
  const { state, remedy } = checkOperator(0);
  assert.equal(state, 'warn');
  assert.match(remedy ?? '', /A separate user/);
  assert.equal(checkOperator(1000).state, 'ok');
  assert.equal(checkOperator(undefined).state, 'ok');
});

test('doctor tells whether others can reach Temporal, and how to close the door', () => {
  assert.equal(checkDoor({}).state, 'ok');
  const asked = checkDoor({ exposed: 'AGENT_UNSAFE_TEMPORAL_PORT=true' });
  assert.deepEqual([asked.state, asked.remedy], ['warn', 'Unset it, then: agent down && agent up']);
  assert.match(
    checkDoor({ exposed: 'bubblewrap is not installed' }).remedy ?? '',
    /apt-get install/,
  );
});
