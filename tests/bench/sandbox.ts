/** What the sandbox adds to a command. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import { runCommandLine } from '../../activities/sandbox/shell.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { createDenial } from '../../policies/paths/denied.ts';
import { parseCommand } from '../../policies/commands/shell.ts';
import { plantForest } from './forest.ts';
import { inTurn, timeOf } from './measure.ts';
import type { Row } from './measure.ts';

const times = 30;
/** Milliseconds above a bare spawn that are meant to be enough. */
const budgetMs = 6;

const spawnBare = (): Promise<number> =>
  timeOf(() => once(spawn('/bin/true', { env: {}, stdio: 'ignore' }), 'exit'));

export async function measureSandbox(): Promise<Row[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-bench-')));
  try {
    const sandbox = await probeSandbox('auto', join(root, 'sandbox'));
    const bundle = await readPolicyBundle(
      fileURLToPath(new URL('../../policies/', import.meta.url)),
    );
    const guard = {
      isHidden: createDenial(bundle.policy, 'read'),
      isProtected: createDenial(bundle.policy, 'write'),
    };
    const few = join(root, 'few');
    const many = join(root, 'many');
    mkdirSync(few);
    plantForest(many, 100_000);
    const run = (workspace: string, readOnly: boolean) => () =>
      timeOf(() =>
        runCommandLine(parseCommand('true'), {
          root: workspace,
          sandbox,
          guard,
          readOnly,
          timeoutMs: 60_000,
          maxOutputBytes: 1_000_000,
          spillDir: join(root, 'spill'),
          signal: new AbortController().signal,
          authorize: () => undefined,
        }),
      );
    const [bare, inFew, inMany, writing] = await inTurn(times, [
      spawnBare,
      run(few, true),
      run(many, true),
      run(many, false),
    ]);
    const toRow = (name: string, ours: number): Row => ({
      name,
      ours,
      baseline: bare,
      unit: 'ms',
      limit: (bare + budgetMs) / bare,
      note: `${(ours - bare).toFixed(1)} ms above`,
    });
    return [
      toRow('sandboxed true / bare spawn', inFew),
      toRow('sandboxed true among 100k files / bare spawn', inMany),
      {
        name: 'the same, allowed to write / bare spawn',
        ours: writing,
        baseline: bare,
        unit: 'ms',
        note: `${(writing - bare).toFixed(1)} ms above: a look at every folder`,
      },
    ];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
