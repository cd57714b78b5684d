/**
 * One call as a transaction on its workspace: pre ref → intent → the call itself → snapshot and result → post ref,
 * which commits it. If it is killed anywhere, the refs tell the next attempt what to do (docs/architecture.md, "A tool
 * call is a transaction on the workspace").
 */
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Decision } from '../../policies/action.ts';
import type { HeldLease } from '../files/lease.ts';
import type { Sights } from '../sandbox/sights.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { createNotes } from './call-notes.ts';
import type { CallIdentity, Ended, Message, Notes, Session, Working } from './call-notes.ts';
import { createHold, noSights } from './hold.ts';
import type { HeldBack } from './hold.ts';
import { rollBackTo } from './roll-back.ts';
import type { Attempt, Recover } from './roll-back.ts';
import { removeUncovered } from './screen.ts';
import type { Screen, Screened } from './screen.ts';

export interface CallOrder extends CallIdentity {
  /** What the run expects the workspace to hold; saves a scan if it is what was committed last. */
  readonly tree?: string;
  /** Files it is about to change: each is covered first, whatever its size. */
  readonly touches?: readonly string[];
  readonly signal: AbortSignal;
  /** Called before anything happens, and after an earlier attempt was reverted. */
  readonly begin: (attempt: Attempt) => Promise<void>;
  /**
   * The decision that allowed the call. An `external` one must not run twice: if interrupted, its outcome is unknown.
   */
  readonly decision: Decision;
  /** Called when the call was stopped and reverted, with the files that could not be. */
  readonly rolledBack?: (left: readonly string[]) => void;
  /** True for errors after which the call counts as never begun. */
  readonly isRolledBack: (error: unknown) => boolean;
  /** Judges the call's changes before they count; absent if every path was judged beforehand. */
  readonly screen?: Screen;
  /** A person's answer to what `screen` asked; valid for exactly that. */
  readonly answer?: { readonly digest: string; readonly answer: 'approve' | 'deny' };
  /** A person's answer about an unknown outcome: runs nothing, and accepts or reverts the workspace. */
  readonly settled?: 'happened' | 'not';
}

export interface Performed<T> {
  readonly outcome: T;
  /** Changed paths, if known; otherwise the whole workspace is scanned. */
  readonly changed?: readonly string[];
}

export type Transacted<R> =
  | { readonly state: 'committed'; readonly result: R }
  /** Committed by an earlier attempt; nothing was run. */
  | { readonly state: 'stored'; readonly result: R }
  /**
   * Begun by an earlier attempt and not repeatable; nothing was run. `left`: uncovered files the attempt changed, if
   * they are the reason.
   */
  | { readonly state: 'unknown'; readonly pre: string; readonly left?: readonly string[] }
  /** Done but held back: the workspace is unchanged until a person answers. */
  | HeldBack;

/** What a call does between two snapshots; `before` is the workspace at its start. */
export type Perform<T> = (
  signal: AbortSignal,
  lease: HeldLease,
  before: {
    readonly tree: string;
    readonly snapshots: Snapshots;
    /** For calls with a screen. */
    readonly sights?: Sights;
  },
) => Promise<Performed<T>>;

/** Stops a call nobody waits for any more, because the run was cancelled or rewound. It is reverted. */
export const givenUp = new Error('given up by the run');

/** A call's workspace, and what may stop it. */
interface Place extends Pick<Working, 'session' | 'leases'> {
  readonly recover: Recover;
  /** Aborted in favour of another call; `givenUp` if this one must not stand. */
  readonly interrupted: AbortSignal;
}

/** A call about to run: its snapshot before, and what must stay unchanged. */
interface Call extends Place, Working {
  readonly order: CallOrder;
  readonly pre: string;
  readonly sights: Sights | undefined;
}

export async function transact<T, R extends object>(
  place: Place,
  order: CallOrder,
  perform: Perform<T>,
  settle: (outcome: T, ended: Ended) => Promise<R>,
): Promise<Transacted<R>> {
  const { session, leases } = place;
  const notes = createNotes<R>(session.snapshots, order);
  const started = performance.now();
  const done = await notes.read('post');
  if (done?.result !== undefined) return { state: 'stored', result: done.result };

  const before = await notes.read('pre');
  const pre = before?.tree ?? (await toPre(session, order));
  const held = before === undefined ? undefined : await notes.read('held');
  if (held !== undefined) {
    const hold = createHold({ session, order, notes, leases, pre });
    const resumed = await hold.resume({ ...held, sights: before?.sights ?? noSights });
    return resumed.state === 'held' ? resumed : await commit(resumed.outcome as T, resumed.ended);
  }
  const sights = before?.sights ?? (await order.screen?.look());
  const call: Call = { ...place, order, notes, pre, sights };
  const unknown = before === undefined ? await begin(call) : await beginAgain(call, before);
  if (unknown !== undefined) return unknown;
  const performed = await performOrRollBack(call, perform);
  const { outcome } = performed;
  const { post, screened } = await capture(call, performed);
  if (screened?.state === 'asks') {
    const ms = Math.round(performance.now() - started);
    const hold = createHold({ session, order, notes, leases, pre });
    return await hold.keep({ tree: post, outcome, ms }, screened);
  }
  if (screened?.state !== 'denied') return await commit(outcome, { pre, post });
  await withhold(call, post, screened);
  return await commit(outcome, { pre, post: screened.rest, screened });

  async function commit(result: T, ended: Ended): Promise<Transacted<R>> {
    return await commitCall({ session, notes, leases }, ended.post, () => settle(result, ended));
  }
}

async function writePre({ session, order, notes, pre, sights }: Call): Promise<void> {
  failpoint('pre-ref.before');
  const { decision } = order;
  const id = await notes.write(pre, { decision, sights });
  session.snapshots.refs.create(notes.nameOf('pre'), id);
  failpoint('pre-ref.after');
}

async function begin(call: Call): Promise<undefined> {
  await writePre(call);
  await call.order.begin({ again: false });
}

type Unknown = Extract<Transacted<object>, { state: 'unknown' }>;

/** Reverts an interrupted attempt, unless a person says that it stands or nobody can tell. */
async function beginAgain(
  call: Call,
  before: Pick<Message<object>, 'decision'>,
): Promise<Unknown | undefined> {
  const { session, order, notes, pre } = call;
  if (order.settled === 'happened') return undefined;
  const { effect } = before.decision ?? order.decision;
  if (effect === 'external' && order.settled === undefined) return { state: 'unknown', pre };
  const back = await rollBackTo(pre, call, order.settled === undefined);
  if (back.data !== undefined) return { state: 'unknown', pre, left: back.data };
  if (effect !== order.decision.effect) {
    // Judged differently by now: the next crash must find what holds for this attempt.
    session.snapshots.refs.remove(notes.nameOf('pre'));
    await writePre(call);
  }
  await order.begin({ again: true, ...back.attempt });
  return undefined;
}

async function performOrRollBack<T>(call: Call, perform: Perform<T>): Promise<Performed<T>> {
  const { session, order, notes, leases, interrupted, pre, sights } = call;
  const { lease, snapshots } = session;
  const signal = AbortSignal.any([order.signal, interrupted]);
  const check = (): void => leases.check(lease);
  // From here on the workspace is between two snapshots.
  session.tree = undefined;
  signal.throwIfAborted();
  try {
    const performed = await perform(
      signal,
      { mark: lease.mark, check },
      { tree: pre, snapshots, sights },
    );
    signal.throwIfAborted();
    // Whoever took over killed what was running here: that is not an outcome.
    check();
    return performed;
  } catch (error) {
    // Stopped by a person, or refused midway: revert, leaving nothing half done.
    const stopped = isCancelled(order.signal) || interrupted.reason === givenUp;
    if (!stopped && !order.isRolledBack(error)) throw error;
    if (sights !== undefined) await order.screen?.open(sights);
    const { attempt } = await rollBackTo(pre, call);
    if (sights !== undefined) await order.screen?.clear(sights);
    session.tree = pre;
    order.rolledBack?.(attempt.left ?? []);
    // What must not be repeated may already have had an outside effect: it stays begun, and a person is asked.
    if (order.isRolledBack(error) && order.decision.effect !== 'external')
      snapshots.refs.remove(notes.nameOf('pre'));
    throw error;
  }
}

/** The snapshot after the call, and its screen's verdict. */
async function capture(
  { session: { snapshots }, order, pre, sights }: Call,
  { changed }: Performed<unknown>,
): Promise<{ readonly post: string; readonly screened: Screened | undefined }> {
  if (sights !== undefined) await order.screen?.open(sights);
  failpoint('capture.before');
  const post =
    changed === undefined ? (await snapshots.capture()).tree : await snapshots.update(pre, changed);
  const screened =
    sights === undefined ? undefined : await order.screen?.judge({ pre, post, snapshots, sights });
  return { post, screened };
}

/** Removes what the screen denies from the workspace. */
async function withhold(
  { session: { lease, snapshots }, order, notes, leases }: Call,
  post: string,
  { rest, remove }: Extract<Screened, { state: 'denied' }>,
): Promise<void> {
  leases.check(lease);
  // Kept for reference: what was reverted may have been a person's work.
  await snapshots.keep(notes.nameOf('withheld-'), post);
  await snapshots.restore(rest);
  removeUncovered(order.workspace, remove);
  failpoint('withheld.after');
}

async function commitCall<R extends object>(
  { session, notes, leases }: Omit<Working, 'notes'> & { readonly notes: Notes<R> },
  tree: string,
  finish: () => Promise<R>,
): Promise<Transacted<R>> {
  failpoint('settle.before');
  const result = await finish();
  const id = await notes.write(tree, { result });
  failpoint('post-ref.before');
  await leases.guard(session.lease, () => session.snapshots.refs.create(notes.nameOf('post'), id));
  failpoint('post-ref.after');
  session.tree = tree;
  return { state: 'committed', result };
}

/** The last commit, if nobody else has touched the workspace since; otherwise scans it. */
async function toPre(
  { tree, snapshots }: Session,
  { tree: expected, touches = [] }: Pick<CallOrder, 'tree' | 'touches'>,
): Promise<string> {
  const isKnown = tree !== undefined && (expected === undefined || tree === expected);
  return await snapshots.cover(isKnown ? tree : (await snapshots.capture()).tree, touches);
}

/** True if a person cancelled the run; a worker shutting down merely hands its call back. */
export const isCancelled = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && (reason as Error | undefined)?.message === 'CANCELLED';
