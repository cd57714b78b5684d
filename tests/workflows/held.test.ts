/** A command's change of a protected file, as a run sees it: held back, asked about, and applied or left out. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { TestAgent } from '../setup/agent.ts';

const script = callsInTurn([{ name: 'run_command', args: { command: 'node make.cjs' } }]);

async function startWith(context: { after(end: () => unknown): void }): Promise<TestAgent> {
  const agent = await startAgent(script);
  context.after(() => agent.stop());
  writeFileSync(
    join(agent.workspace, 'make.cjs'),
    "for (const f of ['CLAUDE.md', 'notes.txt']) require('fs').appendFileSync(f, 'x');",
  );
  return agent;
}

suite('a command that changes a protected file', () => {
  for (const word of ['approve', 'deny'] as const)
    test(`waits for a person, with the workspace as it was: ${word}`, async (context) => {
      const agent = await startWith(context);
      const handle = await agent.start('make files');
      const { now } = await agent.waitFor(handle, 'awaiting-approval');
      const { id, digest, kind, details } = now.request;
      assert.equal(kind, 'change');
      const shown = await agent.blobs.getJson<ApprovalDetails>(details ?? '');
      assert.deepEqual(
        shown.changes?.map(({ path }) => path),
        ['CLAUDE.md'],
      );
      for (const path of ['CLAUDE.md', 'notes.txt'])
        assert.ok(!existsSync(join(agent.workspace, path)), path);
      await agent.answer(handle, { request: id, digest, answer: word, by: 'tester' });
      const result = await handle.result();
      assert.equal(result.status, 'done', result.summary);
      assert.equal(existsSync(join(agent.workspace, 'CLAUDE.md')), word === 'approve');
      assert.equal(await agent.read('notes.txt'), 'x');
    });

  test('is answered by a standing order as any question', async (context) => {
    const agent = await startWith(context);
    const handle = await agent.start('make files', { approve: 'deny' });
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.ok(!existsSync(join(agent.workspace, 'CLAUDE.md')));
    assert.equal(await agent.read('notes.txt'), 'x');
  });
});
