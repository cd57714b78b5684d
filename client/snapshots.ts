import type { SnapshotAnswer, SnapshotOrder } from '../workers/snapshots.ts';
import type { Trail } from '../audit/events/trail.ts';
import { runProject } from './child.ts';
import { ClientError, toFailureKind } from './errors.ts';

/** Queries a workspace's snapshots in a separate process: no client does the work. @throws ClientError */
export async function askSnapshots(order: SnapshotOrder): Promise<SnapshotAnswer> {
  const { code, stdout, stderr } = await runProject('workers/snapshots.ts', [], {
    input: JSON.stringify(order),
  });
  if (code === 0) return JSON.parse(stdout) as SnapshotAnswer;
  throw new ClientError(stderr.trim(), toFailureKind(code));
}

/** Snapshots of a staged run's target folder before and after its change was applied; undefined until then. */
export async function findPromotion({
  input: { run, stagedFrom },
  base = '',
  tree = base,
}: Trail): Promise<SnapshotAnswer['promotion']> {
  if (stagedFrom === undefined) return undefined;
  const range = { before: base, after: tree };
  return (await askSnapshots({ what: 'promotion', run, workspace: stagedFrom, ...range }))
    .promotion;
}
