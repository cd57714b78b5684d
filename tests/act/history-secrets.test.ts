/** No call gets to see a secret of a file that was removed long ago. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { ActRequest, ActResult, Observation } from '../../activities/contract/act.ts';
import { createWorkspaceActivities } from '../../activities/act/workspace-activities.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';
import { createProtectedRoom, git } from './protected-room.ts';

test('git log -p and git show print no value of a .env that history holds', async (context) => {
  const room = await createProtectedRoom();
  context.after(() => room.close());
  const { workspace, folder, dependencies } = room;
  if (dependencies.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
  room.write('.env', 'DB_PASSWORD=only-in-history-1\n');
  git(workspace, 'add', '-f', '.env');
  git(workspace, 'commit', '-qm', 'with');
  git(workspace, 'rm', '-q', '.env');
  git(workspace, 'commit', '-qm', 'without');
  const redactor = createRedactor();
  const blobs = createBlobStore(join(folder, 'blobs'), redactor);
  const activities = createWorkspaceActivities({
    ...dependencies,
    redactor,
    blobs,
    isRunOpen: () => Promise.resolve(true),
    hooks: () => ({ hooks: [] }),
    copiesDir: join(folder, 'copies'),
    stagedDir: join(folder, 'staged'),
    offLimits: () => undefined,
  });
  const commands = ['git log -p', 'git show HEAD~1'];
  const segment = await blobs.putJson({ args: commands.map((command) => ({ command })) });
  for (const [index, command] of commands.entries()) {
    const result: ActResult = await new MockActivityEnvironment({ attempt: 1 }).run(
      (request: ActRequest) => activities.act(request),
      {
        run: 'r',
        step: 's1',
        seq: index + 1,
        workspace,
        call: { id: `c${index}`, tool: 'run_command', preview: command, segment, index },
      },
    );
    const { text } = await blobs.getJson<Observation>(result.observation ?? '');
    assert.doesNotMatch(JSON.stringify(result) + text, /only-in-history/, command);
    assert.match(text, /DB_PASSWORD=\[secret:DB_PASSWORD\]/, command);
  }
});
