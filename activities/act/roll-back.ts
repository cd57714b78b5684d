/** What an attempt did that is not to stand is reverted, and kept in the store. */
import type { Touched } from '../snapshots/snapshots.ts';
import type { Working } from './call-notes.ts';

export interface Attempt {
  /** True when an earlier attempt was cut short. */
  readonly again: boolean;
  /** Snapshot of what the cut attempt had left, kept before it was reverted. */
  readonly cut?: string;
  /** What it changed and no snapshot holds: it is as the attempt left it. */
  readonly left?: readonly string[];
}

/** Ends what a command may have left half done in a workspace; what it cannot do, the next command says. */
export type Recover = (workspace: string) => Promise<unknown>;

export interface RolledBack {
  readonly attempt: Pick<Attempt, 'cut' | 'left'>;
  readonly data?: readonly string[];
}

/**
 * What an attempt left may hold a person's work; it is taken out of the workspace, not thrown away. With `mustBeWhole`, nothing
 * more is done once it shows that data which no snapshot holds cannot be reverted: `data` names it. A folder that its tools
 * make again does not count as data.
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
  // If it could not be looked at as the command left it, perhaps now.
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
