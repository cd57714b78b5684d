import { mkdirSync } from 'node:fs';
import { failpoint } from '../../audit/failpoint.ts';
import { copyWorkspace } from '../workspace/copies.ts';
import type { Lease, Leases } from '../workspace/lease.ts';
import { openSnapshots } from '../workspace/snapshots/snapshots.ts';
import type { Snapshots } from '../workspace/snapshots/snapshots.ts';

/** One call, for good: its place in the run's own count, and what it is. */
export interface CallIdentity {
  readonly workspace: string;
  readonly run: string;
  /** Counts the run's actions. A repeated action is another call, so the action alone does not name it. */
  readonly seq: number;
  /** sha256 of the canonical action. */
  readonly digest: string;
}

export interface CallOrder extends CallIdentity {
  /** What the run believes the workspace holds; spares the look when it is what was committed last. */
  readonly tree?: string;
  readonly signal: AbortSignal;
  /** Called before anything happens, also when an earlier attempt was taken back first. */
  readonly begin: (attempt: Attempt) => Promise<void>;
  /** False for what may not be done twice: cut short, its outcome is unknown. */
  readonly repeatable: boolean;
  /** True for an error after which the call counts as never begun. */
  readonly isTakenBack: (error: unknown) => boolean;
  /** A person's word on an unknown outcome: nothing is run, the workspace is taken as it is or taken back. */
  readonly settled?: 'happened' | 'not';
}

export interface Attempt {
  /** True when an earlier attempt was cut short. */
  readonly again: boolean;
  /** Snapshot of what the cut attempt had left, kept before it was taken back. */
  readonly cut?: string;
}

export interface Performed<T> {
  readonly outcome: T;
  /** Paths that changed, where they are known; otherwise the whole workspace is looked at. */
  readonly changed?: readonly string[];
}

export type Transacted<R> =
  | { readonly state: 'committed'; readonly result: R }
  /** Committed by an earlier attempt; nothing was run. */
  | { readonly state: 'stored'; readonly result: R }
  /** Begun by an earlier attempt, and not repeatable; nothing was run. */
  | { readonly state: 'unknown'; readonly pre: string };

/** The same number with another action: history and store disagree, and nothing may be done. */
export class IdentityMismatch extends Error {
  override readonly name = 'IdentityMismatch';
}

export interface Transactions {
  readonly leases: Leases;
  /**
   * Runs `perform` so that the workspace is what it was before or what it was after, never between, and that a call once
   * committed is not run again. `settle` turns the outcome into the result to keep; the snapshots are those before and after.
   */
  transact<T, R extends object>(
    order: CallOrder,
    perform: (signal: AbortSignal, mark: string) => Promise<Performed<T>>,
    settle: (outcome: T, trees: { pre: string; post: string }) => Promise<R>,
  ): Promise<Transacted<R>>;
  /** Snapshots of a workspace, to read in them only. */
  peek(workspace: string): { readonly snapshots: Snapshots };
  /** Makes a copy of a workspace that shares its snapshots. Returns its path, free of links. */
  copy(original: string, copy: string): Promise<string>;
  /** Works on a workspace with nothing else at work there: a call under way is stopped first. */
  exclusive<T>(workspace: string, run: string, work: (opened: Opened) => Promise<T>): Promise<T>;
}

export interface Opened {
  readonly lease: Lease;
  readonly snapshots: Snapshots;
  /** Notes what the workspace is known to hold. */
  readonly know: (tree: string) => void;
}

/** A workspace this process has the lease of. */
interface Session {
  readonly lease: Lease;
  readonly snapshots: Snapshots;
  /** Snapshot of what the workspace holds, as long as nobody else changed it. */
  tree?: string | undefined;
}

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
}

interface Message<R> {
  readonly digest: string;
  readonly result?: R;
}

/** Why a call under way is stopped: another attempt of it has begun, and decides what becomes of it. */
const superseded = new Error('superseded by another attempt');
/** Nobody waits for it any more: the run was cancelled, or goes back. It is taken back. */
const givenUp = new Error('given up by the run');

/** `snapshotsDir` holds a repository for each workspace. */
export function createTransactions(leases: Leases, snapshotsDir: string): Transactions {
  const sessions = new Map<string, Session>();
  const running = new Map<string, Running>();

  const enter = async (workspace: string, run: string): Promise<Session> => {
    const lease = await leases.hold(workspace, run);
    const known = sessions.get(workspace);
    if (known?.lease.epoch === lease.epoch && known.lease.run === run) return known;
    mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
    const session = { lease, snapshots: openSnapshots(snapshotsDir, workspace, lease.mark) };
    sessions.set(workspace, session);
    return session;
  };

  /** An attempt that Temporal has given up on may still be at work in this process: it is stopped, and waited for. */
  const alone = async <T>(
    workspace: string,
    work: (signal: AbortSignal) => Promise<T>,
    reason = superseded,
  ): Promise<T> => {
    for (let other = running.get(workspace); other !== undefined; other = running.get(workspace)) {
      other.abort.abort(reason);
      await other.ended;
    }
    const abort = new AbortController();
    const working = work(abort.signal);
    const entry = { abort, ended: working.catch(() => undefined) };
    running.set(workspace, entry);
    try {
      return await working;
    } finally {
      if (running.get(workspace) === entry) running.delete(workspace);
    }
  };

  const transact = <T, R extends object>(
    order: CallOrder,
    perform: (signal: AbortSignal, mark: string) => Promise<Performed<T>>,
    settle: (outcome: T, trees: { pre: string; post: string }) => Promise<R>,
  ): Promise<Transacted<R>> =>
    alone(order.workspace, async (interrupted) => {
      const { workspace, run } = order;
      const signal = AbortSignal.any([order.signal, interrupted]);
      failpoint('lease.before');
      const session = await enter(workspace, run);
      failpoint('lease.after');
      const { lease, snapshots } = session;
      const notes = createNotes<R>(snapshots, order);

      const done = await notes.read('post');
      if (done?.result !== undefined) return { state: 'stored', result: done.result };

      let pre = (await notes.read('pre'))?.tree;
      if (pre === undefined) {
        pre = await toPre(session, order.tree);
        failpoint('pre-ref.before');
        snapshots.refs.create(notes.nameOf('pre'), await notes.write(pre));
        failpoint('pre-ref.after');
        await order.begin({ again: false });
      } else if (order.settled !== 'happened') {
        if (!order.repeatable && order.settled === undefined) return { state: 'unknown', pre };
        session.tree = undefined;
        const cut = await keepCut(session, notes, pre);
        await snapshots.restore(pre);
        await order.begin({ again: true, ...(cut === undefined ? {} : { cut }) });
      }
      // From here on the workspace is between two snapshots.
      session.tree = undefined;
      signal.throwIfAborted();
      let performed: Performed<T>;
      try {
        performed = await perform(signal, lease.mark);
        signal.throwIfAborted();
      } catch (error) {
        // Stopped by a person, or refused on the way: what it had done is taken back, nothing half done is left.
        const stopped = isCancelled(order.signal) || interrupted.reason === givenUp;
        if (!stopped && !order.isTakenBack(error)) throw error;
        await keepCut(session, notes, pre);
        await snapshots.restore(pre);
        session.tree = pre;
        // What may not be repeated has perhaps reached beyond already: it stays begun, and a person is asked.
        if (order.isTakenBack(error) && order.repeatable)
          snapshots.refs.remove(notes.nameOf('pre'));
        throw error;
      }
      const { outcome, changed } = performed;
      failpoint('capture.before');
      const post =
        changed === undefined
          ? (await snapshots.capture()).tree
          : await snapshots.update(pre, changed);
      failpoint('settle.before');
      const result = await settle(outcome, { pre, post });
      const commit = await notes.write(post, result);
      failpoint('post-ref.before');
      await leases.guard(lease, () => snapshots.refs.create(notes.nameOf('post'), commit));
      failpoint('post-ref.after');
      session.tree = post;
      return { state: 'committed', result };
    });

  return {
    leases,
    transact,
    peek(workspace) {
      mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
      return { snapshots: openSnapshots(snapshotsDir, workspace, undefined) };
    },
    copy: (original, copy) => copyWorkspace(snapshotsDir, original, copy),
    exclusive: (workspace, run, work) =>
      alone(
        workspace,
        async () => {
          const session = await enter(workspace, run);
          const { lease, snapshots } = session;
          session.tree = undefined;
          return await work({
            lease,
            snapshots,
            know(tree) {
              session.tree = tree;
            },
          });
        },
        givenUp,
      ),
  };

  /** What was committed last, if nobody else has been at the workspace since; a look at it otherwise. */
  async function toPre(session: Session, expected: string | undefined): Promise<string> {
    if (session.tree !== undefined && (expected === undefined || session.tree === expected))
      return session.tree;
    return (await session.snapshots.capture()).tree;
  }

  /** What a cut attempt left may hold a person's work; it is taken out of the workspace, not thrown away. */
  async function keepCut(
    { snapshots }: Session,
    notes: Notes<object>,
    pre: string,
  ): Promise<string | undefined> {
    const { tree } = await snapshots.capture();
    if (tree === pre) return undefined;
    const commit = await notes.write(tree);
    snapshots.refs.create(notes.nameOf(`cut-${commit}`), commit);
    return tree;
  }
}

/** What the store says of one call, in commits under refs of its own. */
interface Notes<R> {
  nameOf(what: string): string;
  /** @throws IdentityMismatch */
  read(what: 'pre' | 'post'): Promise<(Message<R> & { readonly tree: string }) | undefined>;
  /** Stores a commit; a ref makes it count. */
  write(tree: string, result?: R): Promise<string>;
}

function createNotes<R>(snapshots: Snapshots, { run, seq, digest }: CallIdentity): Notes<R> {
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
    write: (tree, result) =>
      snapshots.commit({
        tree,
        message: JSON.stringify({ digest, ...(result === undefined ? {} : { result }) }),
      }),
  };
}

/** True when a person cancelled the run; a worker that shuts down only hands its call back. */
export const isCancelled = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && (reason as Error | undefined)?.message === 'CANCELLED';
