import { mkdirSync } from 'node:fs';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Decision } from '../../policies/action.ts';
import { copyWorkspace } from '../files/copies.ts';
import type { Lease, Leases } from '../files/lease.ts';
import { openSnapshots } from '../snapshots/snapshots.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { createNotes } from './call-notes.ts';
import type { CallIdentity, Ended, Session } from './call-notes.ts';
import { rollBackTo } from './roll-back.ts';
import type { Attempt, Recover } from './roll-back.ts';
import { givenUp, transact } from './transact.ts';
import type { CallOrder, Perform, Transacted } from './transact.ts';

/** What the store knows of a call before it is decided again. */
export type Recalled<R> =
  | { readonly state: 'committed'; readonly result: R }
  /** Interrupted; `decision` is what allowed it, absent for calls begun by older versions. */
  | { readonly state: 'begun'; readonly decision: Decision | undefined };

export interface Transactions {
  readonly leases: Leases;
  /** A call's state so far; undefined if it never began. Reads only. @throws IdentityMismatch */
  recall<R extends object>(call: CallIdentity): Promise<Recalled<R> | undefined>;
  /** Restores the workspace to before an interrupted call, and forgets the call. */
  rollback(
    call: CallIdentity & Pick<CallOrder, 'screen'>,
    taken: (attempt: Attempt) => Promise<void>,
  ): Promise<void>;
  /**
   * Runs `perform` so that the workspace ends up either before or after it, never in between, and a committed call
   * never runs again. `settle` turns the outcome into the stored result, given the snapshots before and after.
   */
  transact<T, R extends object>(
    order: CallOrder,
    perform: Perform<T>,
    settle: (outcome: T, ended: Ended) => Promise<R>,
  ): Promise<Transacted<R>>;
  /** A workspace's snapshots, read-only. */
  peek(workspace: string): { readonly snapshots: Snapshots };
  /** Copies a workspace; the copy shares its snapshots. Returns its path, free of links. */
  copy(original: string, copy: string): Promise<string>;
  /** Works on a workspace exclusively, stopping any call in progress first. */
  exclusive<T>(workspace: string, run: string, work: (opened: Opened) => Promise<T>): Promise<T>;
}

export interface Opened {
  readonly lease: Lease;
  readonly snapshots: Snapshots;
  /** Records what the workspace is known to hold. */
  readonly know: (tree: string) => void;
}

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
}

/** Stops a call because another attempt has begun and decides its fate. */
const superseded = new Error('superseded by another attempt');

/**
 * `snapshotsDir` holds one repository per workspace. `recover` runs before anything else where a command may have been
 * interrupted; the next command reports what it could not do.
 */
export function createTransactions(
  leases: Leases,
  snapshotsDir: string,
  recover: Recover = () => Promise.resolve(),
): Transactions {
  const sessions = new Map<string, Session>();
  const running = new Map<string, Running>();

  const enter = async (workspace: string, run: string): Promise<Session> => {
    const lease = await leases.hold(workspace, run);
    const known = sessions.get(workspace);
    if (known?.lease.epoch === lease.epoch && known.lease.run === run) return known;
    mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
    const session = { lease, snapshots: openSnapshots(snapshotsDir, workspace, lease.mark) };
    await recover(workspace).catch(() => undefined);
    sessions.set(workspace, session);
    return session;
  };

  /** An attempt Temporal has given up on may still be running in this process: stop it and wait. */
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

  const peek = (workspace: string): { snapshots: Snapshots } => {
    mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
    return { snapshots: openSnapshots(snapshotsDir, workspace, undefined) };
  };

  return {
    leases,
    transact: <T, R extends object>(
      order: CallOrder,
      perform: Perform<T>,
      settle: (outcome: T, ended: Ended) => Promise<R>,
    ): Promise<Transacted<R>> =>
      alone(order.workspace, async (interrupted) => {
        failpoint('lease.before');
        const session = await enter(order.workspace, order.run);
        failpoint('lease.after');
        const place = { session, leases, recover, interrupted };
        return await transact<T, R>(place, order, perform, settle);
      }),
    peek,
    async recall<R extends object>(call: CallIdentity): Promise<Recalled<R> | undefined> {
      const { snapshots } = sessions.get(call.workspace) ?? peek(call.workspace);
      const notes = createNotes<R>(snapshots, call);
      const done = await notes.read('post');
      if (done?.result !== undefined) return { state: 'committed', result: done.result };
      const begun = await notes.read('pre');
      return begun === undefined ? undefined : { state: 'begun', decision: begun.decision };
    },
    rollback: (call, taken) =>
      alone(call.workspace, async () => {
        const session = await enter(call.workspace, call.run);
        const notes = createNotes<object>(session.snapshots, call);
        const begun = await notes.read('pre');
        if (begun === undefined || (await notes.read('post')) !== undefined) return;
        const { attempt } = await rollBackTo(begun.tree, { session, notes, leases, recover });
        if (begun.sights !== undefined) await call.screen?.clear(begun.sights);
        session.tree = begun.tree;
        await taken({ again: true, ...attempt });
        for (const what of ['applied', 'parked', 'held', 'pre'])
          session.snapshots.refs.remove(notes.nameOf(what));
      }),
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
}
