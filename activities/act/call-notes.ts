/** The store's notes on one call: snapshots in commits, under the call's own refs. */
import type { Decision } from '../../policies/action.ts';
import type { Lease, Leases } from '../files/lease.ts';
import type { Sights } from '../sandbox/sights.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { ProtectedChange, Screened } from './screen.ts';

/** Identifies a call permanently: its number in the run, and what it does. */
export interface CallIdentity {
  readonly workspace: string;
  readonly run: string;
  /** Counts the run's actions. A repeated action is a different call, so the action alone does not identify it. */
  readonly seq: number;
  /** sha256 of the canonical action. */
  readonly digest: string;
}

/** Same number, different action: history and store disagree, and nothing may be done. */
export class IdentityMismatch extends Error {
  override readonly name = 'IdentityMismatch';
}

/** The snapshots around a call, and the fate of what its screen found. */
export interface Ended {
  readonly pre: string;
  readonly post: string;
  readonly screened?: Exclude<Screened, { state: 'clean' }>;
  /** Files someone else changed while the call was held back: nothing of it was applied. */
  readonly conflict?: readonly string[];
  /** The answer it was waiting for while held back. */
  readonly answer?: 'approve' | 'deny';
  /** Milliseconds the call took, if in an earlier attempt. */
  readonly ms?: number;
}

/** A workspace leased by this process. */
export interface Session {
  readonly lease: Lease;
  readonly snapshots: Snapshots;
  /** The workspace's snapshot, valid as long as nobody else changes it. */
  tree?: string | undefined;
}

export interface Message<R> {
  readonly digest: string;
  /** At the call's start. */
  readonly decision?: Decision;
  readonly sights?: Sights;
  /** Of a call held back: its outcome as JSON, how long it took, and what was removed that no snapshot has. */
  readonly held?: {
    readonly outcome: unknown;
    readonly ms: number;
    readonly removed: readonly ProtectedChange[];
  };
  /** Of a held-back call being applied. */
  readonly applied?: Omit<Ended, 'pre' | 'post'>;
  /** At its end. */
  readonly result?: R;
}

/** The store's notes on one call. */
export interface Notes<R> {
  nameOf(what: string): string;
  /** @throws IdentityMismatch */
  read(
    what: 'pre' | 'post' | 'held' | 'parked' | 'applied',
  ): Promise<(Message<R> & { readonly tree: string }) | undefined>;
  /** Stores a commit; it counts once a ref names it. */
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
 * Restores a snapshot after an interrupted attempt. What that left may include a person's work, so it is snapshotted
 * first. Returns that snapshot, if there was anything.
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

/** A call in progress in its workspace. */
export interface Working {
  readonly session: Session;
  readonly notes: Notes<object>;
  readonly leases: Leases;
}
