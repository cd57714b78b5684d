/** What the store says of one call: snapshots in commits, under refs of the call's own. */
import type { Decision } from '../../policies/action.ts';
import type { Lease, Leases } from '../files/lease.ts';
import type { Sights } from '../sandbox/sights.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { ProtectedChange, Screened } from './screen.ts';

/** One call, for good: its place in the run's own count, and what it is. */
export interface CallIdentity {
  readonly workspace: string;
  readonly run: string;
  /** Counts the run's actions. A repeated action is another call, so the action alone does not name it. */
  readonly seq: number;
  /** sha256 of the canonical action. */
  readonly digest: string;
}

/** The same number with another action: history and store disagree, and nothing may be done. */
export class IdentityMismatch extends Error {
  override readonly name = 'IdentityMismatch';
}

/** The snapshots around a call, and what became of what its screen found. */
export interface Ended {
  readonly pre: string;
  readonly post: string;
  readonly screened?: Exclude<Screened, { state: 'clean' }>;
  /** Files that somebody else changed while the call was held back: nothing of it was applied. */
  readonly conflict?: readonly string[];
  /** The answer that let it go on, where it had been held back. */
  readonly answer?: 'approve' | 'deny';
  /** Milliseconds the call took, where that was in an earlier attempt. */
  readonly ms?: number;
}

/** A workspace this process has the lease of. */
export interface Session {
  readonly lease: Lease;
  readonly snapshots: Snapshots;
  /** Snapshot of what the workspace holds, as long as nobody else changed it. */
  tree?: string | undefined;
}

export interface Message<R> {
  readonly digest: string;
  /** Of the call's beginning. */
  readonly decision?: Decision;
  readonly sights?: Sights;
  /** Of a call that is held back: its outcome, as JSON, how long it took, and what was taken away that no snapshot has. */
  readonly held?: {
    readonly outcome: unknown;
    readonly ms: number;
    readonly removed: readonly ProtectedChange[];
  };
  /** Of a call that was held back and is being applied. */
  readonly applied?: Omit<Ended, 'pre' | 'post'>;
  /** Of its end. */
  readonly result?: R;
}

/** What the store says of one call, in commits under refs of its own. */
export interface Notes<R> {
  nameOf(what: string): string;
  /** @throws IdentityMismatch */
  read(
    what: 'pre' | 'post' | 'held' | 'parked' | 'applied',
  ): Promise<(Message<R> & { readonly tree: string }) | undefined>;
  /** Stores a commit; a ref makes it count. */
  write(tree: string, message?: Omit<Message<R>, 'digest'>): Promise<string>;
}

export function createNotes<R>(snapshots: Snapshots, { run, seq, digest }: CallIdentity): Notes<R> {
  const nameOf = (what: string): string => `${run}/${seq}/${what}`;
  return {
    nameOf,
    async read(what) {
      const commit = snapshots.refs.read(nameOf(what));
      if (commit === undefined) return undefined;
      const { tree, message } = await snapshots.readCommit(commit);
      const parsed = JSON.parse(message) as Message<R>;
      if (parsed.digest !== digest) {
        throw new IdentityMismatch(
          `Action ${seq} of run ${run} is noted with digest ${parsed.digest}, asked for with ${digest}.`,
        );
      }
      return { ...parsed, tree };
    },
    write: (tree, message = {}) =>
      snapshots.commit({ tree, message: JSON.stringify({ digest, ...message }) }),
  };
}

/**
 * Brings the workspace to a snapshot after a cut attempt. What that left may hold a person's work; it is taken out of the
 * workspace, not thrown away. Returns its snapshot, if there was anything.
 */
export async function bringTo(
  { session: { snapshots, lease }, notes, leases }: Working,
  target: string,
): Promise<string | undefined> {
  leases.check(lease);
  const { tree } = await snapshots.capture();
  if (await snapshots.isSame(tree, target)) return undefined;
  await snapshots.keep(notes.nameOf('cut-'), tree);
  leases.check(lease);
  await snapshots.restore(target);
  return tree;
}

/** A call at work in its workspace. */
export interface Working {
  readonly session: Session;
  readonly notes: Notes<object>;
  readonly leases: Leases;
}
