/** Reverts what an attempt did, keeping it in the store. */
import type { Touched } from '../snapshots/snapshots.ts';
import type { Working } from './call-notes.ts';

export interface Attempt {
  /** True if an earlier attempt was interrupted. */
  readonly again: boolean;
  /** Snapshot of what the interrupted attempt left, taken before reverting. */
  readonly cut?: string;
  /** Uncovered files it changed, which stay as the attempt left them. */
  readonly left?: readonly string[];
}

/** Finishes what a command left half done in a workspace; the next command reports what this cannot do. */
export type Recover = (workspace: string) => Promise<unknown>;

export interface RolledBack {
  readonly attempt: Pick<Attempt, 'cut' | 'left'>;
  readonly data?: readonly string[];
}

/**
 * Reverts an attempt. What it left may include a person's work, so it is stored, not discarded. With `mustBeWhole`,
 * stops once it finds uncovered data that cannot be reverted, named in `data`. Folders that tools can recreate do not
 * count as data.
 */
export async function rollBackTo(
  pre: string,
  { session, notes, leases, recover }: Working & { readonly recover: Recover },
  mustBeWhole = false,
): Promise<RolledBack> {
  const { snapshots, lease } = session;
  session.tree = undefined;
  leases.check(lease);
  await recover(lease.workspace).catch(() => undefined);
  const { tree } = await snapshots.capture();
  const touched = await snapshots.findTouched(pre, tree);
  const data = touched.filter(({ isFolder }) => !isFolder).map(toName);
  const left = touched.map(toName);
  if (mustBeWhole && data.length > 0) return { attempt: { left }, data };
  if (tree === pre) return { attempt: {} };
  await snapshots.keep(notes.nameOf('cut-'), tree);
  leases.check(lease);
  const restored = await snapshots.restore(pre);
  // If the state after the command could not be checked then, try now.
  await recover(lease.workspace).catch(() => undefined);
  const stays = restored.left.filter((path) => !touched.some((each) => each.path === path));
  const all = [...left, ...stays];
  return {
    attempt: { cut: tree, left: all.length === 0 ? undefined : all },
    data: mustBeWhole && stays.length > 0 ? stays : undefined,
  };
}

const toName = ({ path, kind, to }: Touched): string =>
  kind === 'gone' ? `${path} (gone)` : kind === 'moved' ? `${path} (now ${to ?? ''})` : path;
