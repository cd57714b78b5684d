/**
 * Holds back a command's change until a person answers. Until then the workspace is as it was before the command and
 * the change exists only in the store; afterwards it is applied as the command's commit. Refs of the call record the
 * progress, so a kill at any point leaves one of the two states.
 */
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Sights } from '../sandbox/sights.ts';
import { bringTo } from './call-notes.ts';
import type { Ended, Message, Working } from './call-notes.ts';
import { removeUncovered } from './screen.ts';
import type { ProtectedChange, Screen, Screened } from './screen.ts';

type Asks = Extract<Screened, { state: 'asks' }>;

/** Done but held back: the workspace is unchanged until a person answers. */
export interface HeldBack {
  readonly state: 'held';
  readonly screened: Asks;
}

interface Kept {
  readonly tree: string;
  readonly outcome: unknown;
  readonly ms: number;
}

interface Holding extends Working {
  readonly order: {
    readonly workspace: string;
    readonly screen?: Screen;
    readonly answer?: { readonly digest: string; readonly answer: 'approve' | 'deny' };
  };
  readonly pre: string;
}

export const noSights: Sights = {
  guarded: {},
  uncovered: [],
  closed: [],
  aliases: [],
  hooksFolders: [],
};

interface Hold {
  /** Stores the change and removes it from the workspace. */
  keep(change: Kept, screened: Asks): Promise<HeldBack>;
  /** Asks again, or applies the answer. The change is judged anew, because the policy may have changed. */
  resume(
    change: Message<object> & { readonly tree: string; readonly sights: Sights },
  ): Promise<HeldBack | Resumed>;
}

interface Resumed {
  readonly state: 'applied';
  readonly outcome: unknown;
  readonly ended: Ended;
}

export function createHold({ session, order, notes, leases, pre }: Holding): Hold {
  const { snapshots, lease } = session;
  const working = { session, notes, leases };
  const mark = async (what: 'held' | 'parked' | 'applied', tree: string, message = {}) => {
    const id = await notes.write(tree, message);
    await leases.guard(lease, () => snapshots.refs.create(notes.nameOf(what), id));
  };

  return {
    async keep({ tree, outcome, ms }, screened) {
      const removed = screened.denied.filter(({ covered }) => !covered);
      failpoint('held-ref.before');
      await mark('held', tree, { held: { outcome, ms, removed } });
      failpoint('held-ref.after');
      await snapshots.restore(pre);
      removeUncovered(order.workspace, screened.remove);
      failpoint('parked-ref.before');
      await mark('parked', pre);
      session.tree = pre;
      return { state: 'held', screened };
    },

    async resume({ tree, held = nothing, sights }) {
      session.tree = undefined;
      if ((await notes.read('parked')) === undefined) {
        // Interrupted while being removed: what is there now is part of the change.
        await bringTo(working, pre);
        await mark('parked', pre);
      }
      const change = { pre, post: tree, snapshots, sights, removed: held.removed };
      const screened = (await order.screen?.judge(change)) ?? { state: 'clean' as const };
      const applied = await notes.read('applied');
      if (applied?.applied !== undefined) {
        await bringTo(working, applied.tree);
        return toResumed(applied.tree, applied.applied);
      }
      const answer =
        screened.state === 'asks' && order.answer?.digest === screened.digest
          ? order.answer.answer
          : undefined;
      if (screened.state === 'asks' && answer === undefined) return { state: 'held', screened };
      const target = toTarget(tree, screened, answer);
      const found = await merge(target);
      const ended = {
        ms: held.ms,
        screened: screened.state === 'clean' ? undefined : screened,
        answer,
        conflict: found.conflict,
      };
      failpoint('applied-ref.before');
      await mark('applied', found.tree, { applied: ended });
      failpoint('applied-ref.after');
      leases.check(lease);
      await snapshots.restore(found.tree);
      failpoint('applied.after');
      return toResumed(found.tree, ended);

      function toResumed(post: string, ending: Omit<Ended, 'pre' | 'post'>): Resumed {
        return { state: 'applied', outcome: held.outcome, ended: { ...ending, pre, post } };
      }
    },
  };

  /** A person may have worked in the folder meanwhile; none of their work is overwritten. */
  async function merge(
    target: string,
  ): Promise<{ readonly tree: string; readonly conflict?: readonly string[] }> {
    const { tree: current } = await snapshots.capture();
    if (await snapshots.isSame(current, pre)) return { tree: target };
    const merged = await snapshots.merge({ base: pre, ours: current, theirs: target });
    return merged.ok ? { tree: merged.tree } : { tree: current, conflict: merged.paths };
  }
}

const nothing = { outcome: null, ms: 0, removed: [] as readonly ProtectedChange[] };

function toTarget(
  tree: string,
  screened: Screened,
  answer: 'approve' | 'deny' | undefined,
): string {
  switch (screened.state) {
    case 'clean':
      return tree;
    case 'denied':
      return screened.rest;
    case 'asks':
      return answer === 'approve' ? screened.whole : screened.rest;
  }
}
