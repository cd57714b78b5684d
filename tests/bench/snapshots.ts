/** What a snapshot of the workspace costs, against `git status` on the same tree. */
import { copyFileSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { git, pathOf, plantForest } from './forest.ts';
import { inTurn, timeOf } from './measure.ts';
import type { Row } from './measure.ts';

const times = 9;

async function measureForest(root: string, files: number): Promise<Row[]> {
  const workspace = join(root, `forest-${files}`);
  plantForest(workspace, files);
  const snapshots = openSnapshots(join(root, 'snapshots'), workspace, 'bench');
  const cold = await timeOf(() => snapshots.capture());
  const index = join(root, `index-${files}`);
  copyFileSync(join(workspace, '.git/index'), index);
  const timeGit = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    timeOf(async () => git(workspace, args, env));
  const own = { GIT_INDEX_FILE: index };
  const addAll = async () =>
    (await timeGit(['add', '-A'], own)) + (await timeGit(['write-tree'], own));
  let edits = 0;
  const edit = (): void => {
    edits += 1;
    writeFileSync(join(workspace, pathOf(Math.floor(files / 2))), `edit ${edits}\n`);
  };
  const rows: Row[] = [];
  for (const changed of [0, 1]) {
    const prepare = changed === 0 ? () => undefined : edit;
    const prepared = (measure: () => Promise<number>) => () => {
      prepare();
      return measure();
    };
    const [capture, status, plain] = await inTurn(times, [
      prepared(() => timeOf(() => snapshots.capture())),
      prepared(() => timeGit(['status', '--porcelain'])),
      prepared(addAll),
    ]);
    const what = `${files} files, ${changed === 0 ? 'none' : 'one'} changed`;
    rows.push(
      {
        name: `capture of ${what} / git status`,
        ours: capture,
        baseline: status,
        unit: 'ms',
        limit: 2,
      },
      {
        name: `  (git add -A + write-tree of ${what} / git status)`,
        ours: plain,
        baseline: status,
        unit: 'ms',
      },
    );
    if (changed === 0)
      rows.push({
        name: `  (first capture of ${files} files / git status)`,
        ours: cold,
        baseline: status,
        unit: 'ms',
      });
  }
  return rows;
}

export async function measureSnapshots(): Promise<Row[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-bench-')));
  try {
    const rows: Row[] = [];
    for (const files of [1_000, 10_000, 100_000]) rows.push(...(await measureForest(root, files)));
    return rows;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
