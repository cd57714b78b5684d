/** A machine that cannot confine commands: file tools do the work, and everybody is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderEvent } from '../../cli/render/render.ts';
import { plainStyle } from '../../cli/render/style.ts';
import { oneStep } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';

test('without a sandbox commands are not offered, a call for one is denied, files are written', async (t) => {
  const agent = await startAgent(
    oneStep([
      { call: [{ name: 'run_command', args: { command: 'touch made' } }] },
      { call: [{ name: 'write_file', args: { path: 'notes.txt', content: 'x' } }] },
    ]),
    {
      sandbox: { kind: 'unavailable', reason: 'bubblewrap is not installed.', fix: 'Install it.' },
    },
  );
  t.after(() => agent.stop());
  const handle = await agent.start('Write notes');
  const result = await handle.result();
  assert.equal(result.status, 'done', result.summary);
  assert.deepEqual(result.changes, ['notes.txt']);
  const offered = agent.model.requests
    .filter(({ role }) => role === 'executor')
    .map(({ tools }) => tools.map(({ name }) => name));
  assert.ok(offered.length >= 3);
  for (const names of offered) {
    assert.equal(names.includes('run_command'), false);
    assert.equal(names.includes('write_file'), true);
  }
  const events = (await agent.events(handle)).filter(({ type }) => type !== 'phase');
  assert.deepEqual(
    events.slice(0, 2).map(({ type }) => type),
    ['run.started', 'run.restricted'],
  );
  const [, restricted] = events;
  assert.match(
    renderEvent(restricted as (typeof events)[number], plainStyle).join(),
    /^RESTRICTED No commands are available.*bubblewrap is not installed\. Install it\./,
  );
  const denied = events.find((event) => event.type === 'decision' && event.verdict === 'deny');
  assert.equal(denied?.type === 'decision' ? denied.rule : '', 'sandbox.unavailable');
});
