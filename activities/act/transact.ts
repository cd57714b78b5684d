/**
 * One call as a transaction on its workspace: pre ref → intent → the call itself → snapshot and result → post ref, which is its
 * commit. Killed anywhere, the next attempt finds in the refs what is to be done (docs/architecture.md, "A tool call is a
 * transaction on the workspace").
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

/** Why a call under way is stopped that nobody waits for any more: the run was cancelled, or goes back. It is reverted. */
export const givenUp = new Error('given up by the run');

/** The workspace of a call, and what may stop it there. */
interface Place extends Pick<Working, 'session' | 'leases'> {
  readonly recover: Recover;
  /** Aborted for another call; `givenUp` where this one is not to stand. */
  readonly interrupted: AbortSignal;
}

/** A call that is to be made: its snapshot from before, and what must stay as it is. */
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

/** An earlier attempt was cut short: what it did is reverted, unless a person says that it stands or nobody can tell. */
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
    // Judged otherwise by now: the next crash is to find what holds for this attempt.
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
    // Whoever took over has ended what was running here: that is no outcome.
    check();
    return performed;
  } catch (error) {
    // Stopped by a person, or refused on the way: what it had done is reverted, nothing half done is left.
    const stopped = isCancelled(order.signal) || interrupted.reason === givenUp;
    if (!stopped && !order.isRolledBack(error)) throw error;
    if (sights !== undefined) await order.screen?.open(sights);
    const { attempt } = await rollBackTo(pre, call);
    if (sights !== undefined) await order.screen?.clear(sights);
    session.tree = pre;
    order.rolledBack?.(attempt.left ?? []);
    // What may not be repeated has perhaps reached beyond already: it stays begun, and a person is asked.
    if (order.isRolledBack(error) && order.decision.effect !== 'external')
      snapshots.refs.remove(notes.nameOf('pre'));
    throw error;
  }
}

/** The snapshot after the call, and what its screen says of the change. */
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

/** Takes what the screen denies out of the workspace. */
async function withhold(
  { session: { lease, snapshots }, order, notes, leases }: Call,
  post: string,
  { rest, remove }: Extract<Screened, { state: 'denied' }>,
): Promise<void> {
  leases.check(lease);
  // Kept for whoever looks for what was put back: it may have been a person's work.
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
