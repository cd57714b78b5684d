import { mkdirSync } from 'node:fs';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Decision } from '../../policies/action.ts';
import { copyWorkspace } from '../files/copies.ts';
import type { Sights } from '../sandbox/sights.ts';
import { createNotes } from './call-notes.ts';
import type { CallIdentity, Ended, Notes, Session } from './call-notes.ts';
import { createHold, noSights } from './hold.ts';
import type { HeldBack } from './hold.ts';
import { removeUncovered } from './screen.ts';
import type { Screen } from './screen.ts';
import type { HeldLease, Lease, Leases } from '../files/lease.ts';
import { openSnapshots } from '../snapshots/snapshots.ts';
import type { Snapshots, Touched } from '../snapshots/snapshots.ts';

export interface CallOrder extends CallIdentity {
  /** What the run believes the workspace holds; spares the look when it is what was committed last. */
  readonly tree?: string;
  /** Files it is about to change: each is covered first, whatever its size. */
  readonly touches?: readonly string[];
  readonly signal: AbortSignal;
  /** Called before anything happens, also when an earlier attempt was reverted first. */
  readonly begin: (attempt: Attempt) => Promise<void>;
  /** What allowed the call. What is `external` may not be done twice: cut short, its outcome is unknown. */
  readonly decision: Decision;
  /** Called when the call was stopped and reverted, with what stayed as it had left it. */
  readonly rolledBack?: (left: readonly string[]) => void;
  /** True for an error after which the call counts as never begun. */
  readonly isRolledBack: (error: unknown) => boolean;
  /** Judges what the call changed before any of it counts; absent where every path was judged beforehand. */
  readonly screen?: Screen;
  /** A person's answer to what `screen` asked about; it counts for exactly that. */
  readonly answer?: { readonly digest: string; readonly answer: 'approve' | 'deny' };
  /** A person's word on an unknown outcome: nothing is run, the workspace is taken as it is or reverted. */
  readonly settled?: 'happened' | 'not';
}

export interface Attempt {
  /** True when an earlier attempt was cut short. */
  readonly again: boolean;
  /** Snapshot of what the cut attempt had left, kept before it was reverted. */
  readonly cut?: string;
  /** What it changed and no snapshot holds: it is as the attempt left it. */
  readonly left?: readonly string[];
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
  /**
   * Begun by an earlier attempt, and not repeatable; nothing was run. `left`: files that no snapshot holds and that the attempt
   * changed, where they are the reason.
   */
  | { readonly state: 'unknown'; readonly pre: string; readonly left?: readonly string[] }
  /** Done, and held back: the workspace is as it was before until a person has answered. */
  | HeldBack;

/** What the store knows of a call, before anything is decided of it again. */
export type Recalled<R> =
  | { readonly state: 'committed'; readonly result: R }
  /** Cut short; `decision` is what allowed it then, absent for calls begun by older versions. */
  | { readonly state: 'begun'; readonly decision: Decision | undefined };

/** What a call does between two snapshots; `before` is what the workspace holds as it begins. */
export type Perform<T> = (
  signal: AbortSignal,
  lease: HeldLease,
  before: {
    readonly tree: string;
    readonly snapshots: Snapshots;
    /** Of calls with a screen. */
    readonly sights?: Sights;
  },
) => Promise<Performed<T>>;

export interface Transactions {
  readonly leases: Leases;
  /** What became of a call so far; undefined when it never began. Reads only. @throws IdentityMismatch */
  recall<R extends object>(call: CallIdentity): Promise<Recalled<R> | undefined>;
  /** Brings the workspace to where it was before a call that was cut short, and forgets the call. */
  rollback(
    call: CallIdentity & Pick<CallOrder, 'screen'>,
    taken: (attempt: Attempt) => Promise<void>,
  ): Promise<void>;
  /**
   * Runs `perform` so that the workspace is what it was before or what it was after, never between, and that a call once
   * committed is not run again. `settle` turns the outcome into the result to keep; the snapshots are those before and after.
   */
  transact<T, R extends object>(
    order: CallOrder,
    perform: Perform<T>,
    settle: (outcome: T, ended: Ended) => Promise<R>,
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

interface Running {
  readonly abort: AbortController;
  readonly ended: Promise<unknown>;
}

/** Why a call under way is stopped: another attempt of it has begun, and decides what becomes of it. */
const superseded = new Error('superseded by another attempt');
/** Nobody waits for it any more: the run was cancelled, or goes back. It is reverted. */
const givenUp = new Error('given up by the run');

/**
 * `snapshotsDir` holds a repository for each workspace. `recover` is called where a command may have been cut short, before
 * anything else is done in the workspace; what it could not do, the next command says.
 */
export function createTransactions(
  leases: Leases,
  snapshotsDir: string,
  recover: (workspace: string) => Promise<unknown> = () => Promise.resolve(),
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
    perform: Perform<T>,
    settle: (outcome: T, ended: Ended) => Promise<R>,
  ): Promise<Transacted<R>> =>
    alone(order.workspace, async (interrupted) => {
      const { workspace, run } = order;
      const signal = AbortSignal.any([order.signal, interrupted]);
      failpoint('lease.before');
      const session = await enter(workspace, run);
      failpoint('lease.after');
      const { lease, snapshots } = session;
      const notes = createNotes<R>(snapshots, order);
      const started = performance.now();

      const done = await notes.read('post');
      if (done?.result !== undefined) return { state: 'stored', result: done.result };

      const before = await notes.read('pre');
      const pre = before?.tree ?? (await toPre(session, order));
      const held = before === undefined ? undefined : await notes.read('held');
      if (held !== undefined) {
        const hold = createHold({ session, order, notes, leases, pre });
        const resumed = await hold.resume({ ...held, sights: before?.sights ?? noSights });
        if (resumed.state === 'held') return resumed;
        const { outcome, ended } = resumed;
        return await commit(() => settle(outcome as T, ended), ended.post);
      }
      const sights = before?.sights ?? (await order.screen?.look());
      const begin = async (): Promise<void> => {
        failpoint('pre-ref.before');
        const { decision } = order;
        const id = await notes.write(pre, { decision, sights });
        snapshots.refs.create(notes.nameOf('pre'), id);
        failpoint('pre-ref.after');
      };
      if (before === undefined) {
        await begin();
        await order.begin({ again: false });
      } else if (order.settled !== 'happened') {
        const { effect } = before.decision ?? order.decision;
        if (effect === 'external' && order.settled === undefined) return { state: 'unknown', pre };
        const back = await goBack(session, notes, pre, order.settled === undefined);
        if (back.data !== undefined) return { state: 'unknown', pre, left: back.data };
        if (effect !== order.decision.effect) {
          // Judged otherwise by now: the next crash is to find what holds for this attempt.
          snapshots.refs.remove(notes.nameOf('pre'));
          await begin();
        }
        await order.begin({ again: true, ...back.attempt });
      }
      // From here on the workspace is between two snapshots.
      session.tree = undefined;
      signal.throwIfAborted();
      let performed: Performed<T>;
      try {
        const check = (): void => leases.check(lease);
        const under = { mark: lease.mark, check };
        const now = { tree: pre, snapshots, sights };
        performed = await perform(signal, under, now);
        signal.throwIfAborted();
        // Whoever took over has ended what was running here: that is no outcome.
        check();
      } catch (error) {
        // Stopped by a person, or refused on the way: what it had done is reverted, nothing half done is left.
        const stopped = isCancelled(order.signal) || interrupted.reason === givenUp;
        if (!stopped && !order.isRolledBack(error)) throw error;
        if (sights !== undefined) await order.screen?.open(sights);
        const { attempt } = await goBack(session, notes, pre);
        if (sights !== undefined) await order.screen?.clear(sights);
        session.tree = pre;
        order.rolledBack?.(attempt.left ?? []);
        // What may not be repeated has perhaps reached beyond already: it stays begun, and a person is asked.
        if (order.isRolledBack(error) && order.decision.effect !== 'external')
          snapshots.refs.remove(notes.nameOf('pre'));
        throw error;
      }
      const { outcome, changed } = performed;
      if (sights !== undefined) await order.screen?.open(sights);
      failpoint('capture.before');
      const post =
        changed === undefined
          ? (await snapshots.capture()).tree
          : await snapshots.update(pre, changed);
      const screened =
        sights === undefined
          ? undefined
          : await order.screen?.judge({ pre, post, snapshots, sights });
      if (screened?.state === 'asks') {
        const ms = Math.round(performance.now() - started);
        const hold = createHold({ session, order, notes, leases, pre });
        return await hold.keep({ tree: post, outcome, ms }, screened);
      }
      if (screened?.state !== 'denied')
        return await commit(() => settle(outcome, { pre, post }), post);
      leases.check(lease);
      // Kept for whoever looks for what was put back: it may have been a person's work.
      await snapshots.keep(notes.nameOf('withheld-'), post);
      await snapshots.restore(screened.rest);
      removeUncovered(workspace, screened.remove);
      failpoint('withheld.after');
      const { rest } = screened;
      return await commit(() => settle(outcome, { pre, post: rest, screened }), rest);

      async function commit(finish: () => Promise<R>, tree: string): Promise<Transacted<R>> {
        failpoint('settle.before');
        const result = await finish();
        const id = await notes.write(tree, { result });
        failpoint('post-ref.before');
        await leases.guard(lease, () => snapshots.refs.create(notes.nameOf('post'), id));
        failpoint('post-ref.after');
        session.tree = tree;
        return { state: 'committed', result };
      }
    });

  const peek = (workspace: string): { snapshots: Snapshots } => {
    mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
    return { snapshots: openSnapshots(snapshotsDir, workspace, undefined) };
  };

  return {
    leases,
    transact,
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
        const { attempt } = await goBack(session, notes, begun.tree);
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

  /**
   * Takes back what a cut attempt did. What it left may hold a person's work; it is taken out of the workspace, not thrown
   * away. With `mustBeWhole`, nothing more is done once it shows that data which no snapshot holds cannot be reverted:
   * `data` names it. A folder that its tools make again does not count as data.
   */
  async function goBack(
    session: Session,
    notes: Notes<object>,
    pre: string,
    mustBeWhole = false,
  ): Promise<GoneBack> {
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
}

interface GoneBack {
  readonly attempt: Pick<Attempt, 'cut' | 'left'>;
  readonly data?: readonly string[];
}

const toName = ({ path, kind, to }: Touched): string =>
  kind === 'gone' ? `${path} (gone)` : kind === 'moved' ? `${path} (now ${to ?? ''})` : path;

/** What was committed last, if nobody else has been at the workspace since; a look at it otherwise. */
async function toPre(
  { tree, snapshots }: Session,
  { tree: expected, touches = [] }: Pick<CallOrder, 'tree' | 'touches'>,
): Promise<string> {
  const isKnown = tree !== undefined && (expected === undefined || tree === expected);
  return await snapshots.cover(isKnown ? tree : (await snapshots.capture()).tree, touches);
}

/** True when a person cancelled the run; a worker that shuts down only hands its call back. */
export const isCancelled = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && (reason as Error | undefined)?.message === 'CANCELLED';
