/** A workspace whose git would start programs: everybody is told, and the work goes on without them. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readChain } from '../../audit/record/chain.ts';
import { renderEvent } from '../../cli/render/render.ts';
import { plainStyle } from '../../cli/render/style.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';

test('settings of git that start programs are named once, in events and record', async (t) => {
  const agent = await startAgent(
    callsInTurn([{ name: 'run_command', args: { command: 'git status --porcelain' } }]),
    {
      files: {
        '.git/HEAD': 'ref: refs/heads/main\n',
        '.git/objects/keep': '',
        '.git/refs/keep': '',
        '.git/config': '[core]\n\tfsmonitor = touch trapped #\n[alias]\n\tst = status\n',
      },
    },
  );
  t.after(() => agent.stop());
  const handle = await agent.start('Look at it');
  const result = await handle.result();
  assert.equal(result.status, 'done', result.summary);
  await assert.rejects(agent.read('trapped'), { code: 'ENOENT' });
  const told = (await agent.events(handle)).filter(({ type }) => type === 'git.settings');
  assert.deepEqual(
    told.flatMap((event) => renderEvent(event, plainStyle)),
    [
      "git settings of this folder start programs or point elsewhere; the agent's commands ignore them: core.fsmonitor (.git/config)",
    ],
  );
  const lines: unknown[] = [];
  for (const day of readdirSync(agent.folders.audit).filter((name) => /^\d/.test(name)))
    for await (const { kind, settings } of readChain(join(agent.folders.audit, day)))
      if (kind === 'git-settings') lines.push(settings);
  assert.deepEqual(lines, [['core.fsmonitor (.git/config)']]);
});
