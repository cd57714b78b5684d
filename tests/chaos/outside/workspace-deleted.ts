import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitForMirror } from '../checks.ts';
import type { Fault } from '../fault.ts';
import { waitFor } from '../../setup/wait-for.ts';

/** The folder vanishes between two calls, or under a running command: the run ends, says why, and touches nothing else. */
export const workspaceDeleted: Fault = {
  name: 'workspace-deleted',
  where: 'rm -rf of the workspace in mid-run',
  occasions: 2,
  async strike(world, id, occasion) {
    const home = join(world.machine.root, `${id}-home`);
    mkdirSync(home);
    const neighbour = join(home, 'neighbour.txt');
    writeFileSync(neighbour, 'untouched\n');
    const run = world.begin(id, occasion === 0 ? 'quick' : 'slow', join(home, 'workspace'));
    if (occasion === 0) await run.progress(1);
    else await waitFor('the log', () => existsSync(join(run.workspace, 'log')), 120_000);
    const at = Date.now();
    // As `rm -rf` again, by whoever sees that something was just written there.
    rmSync(run.workspace, { recursive: true, force: true, maxRetries: 20, retryDelay: 10 });
    const last = await run.finish();
    assert.ok(last.type === 'run.finished');
    assert.notEqual(last.status, 'done', JSON.stringify(last));
    assert.match(last.summary, /workspace/i);
    assert.equal(existsSync(run.workspace), false, 'the workspace is back');
    assert.equal(readFileSync(neighbour, 'utf8'), 'untouched\n');
    await waitForMirror(world.machine, id);
    const verified = await world.machine.run('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
    return (Date.now() - at) / 1000;
  },
};
