/**
 * Screens what a command changed before any of it counts: denied changes are reverted, and changes a rule asks about
 * are held back until a person has seen exactly that difference.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf } from '../../audit/record/blobs.ts';
import { toCanonical } from '../../audit/record/canonical.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { createChangeJudge, isBelow } from '../../policies/paths/changes.ts';
import type { JudgeChange } from '../../policies/paths/changes.ts';
import type { Policy } from '../../policies/policy.ts';
import { sha256Of } from '../files/regular.ts';
import { createAgreement } from './agreement.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { findNewSights, lookAtSights, lookOpened, toMark } from '../sandbox/sights.ts';
import type { Sights } from '../sandbox/sights.ts';
import { toText } from '../snapshots/byte-path.ts';
import type { Difference, FileEntry } from '../snapshots/difference.ts';
import { dependencyFolders } from '../snapshots/coverage.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { guardOf } from '../sandbox/guard.ts';

/** A changed file that a rule protects. */
export interface ProtectedChange {
  readonly path: string;
  readonly rule: string;
  /** A sentence. */
  readonly reason: string;
  /** False for what no snapshot holds, such as a file in a cache folder. */
  readonly covered: boolean;
  readonly before?: FileEntry;
  readonly after?: FileEntry;
}

/** A call's change, with the snapshots around it. */
export interface Change {
  readonly pre: string;
  readonly post: string;
  readonly snapshots: Snapshots;
  readonly sights: Sights;
  /** Removed when the call was held back; nothing new on disk is the call's then. */
  readonly removed?: readonly ProtectedChange[];
}

/** Nothing protected changed; or something did, and `rest` is the change without it. */
export type Screened =
  | { readonly state: 'clean' }
  | (Withheld & { readonly state: 'denied' })
  | (Withheld & {
      readonly state: 'asks';
      /** Covers exactly what is asked about: paths, modes, content before and after, and the action. */
      readonly digest: string;
      /** The change including what is asked about. */
      readonly whole: string;
      readonly asked: readonly ProtectedChange[];
    });

interface Withheld {
  readonly rest: string;
  readonly denied: readonly ProtectedChange[];
  /** Delete by name: new, and in no snapshot. */
  readonly remove: readonly string[];
}

export interface Screen {
  look(): Promise<Sights>;
  /** Call after the command ended; also checks what it made unreadable for its owner. */
  open(sights: Sights): Promise<void>;
  judge(change: Change): Promise<Screened>;
  /** Without snapshots: removes new protected files and returns them. */
  clear(sights: Sights): Promise<readonly ProtectedChange[]>;
}

interface ScreenOptions {
  readonly policy: Policy;
  readonly action: Action;
  /** sha256 of the action. */
  readonly digest: string;
  readonly sandbox: Sandbox;
  /** False outside runs: existing files could not be restored. */
  readonly hasSnapshots: boolean;
}

const fetched: ReadonlySet<string> = new Set(dependencyFolders);

/** For commands; file tools name their path and are judged beforehand. */
export function createScreen(options: ScreenOptions): Screen {
  const { policy, action, digest, sandbox, hasSnapshots } = options;
  const guard = guardOf(policy);
  const { workspace } = action;
  const toJudge = (sights: Sights): JudgeChange =>
    createChangeJudge(policy, { ...sights, fetched });
  return {
    look: () => lookAtSights(workspace, guard, hasSnapshots),
    async open({ closed }) {
      await lookOpened(workspace, guard, closed);
    },
    async clear(sights) {
      const found = await findNew(sights, () => Promise.resolve(false));
      removeUncovered(
        workspace,
        found.map(({ path }) => path),
      );
      return found;
    },
    async judge({ pre, post, snapshots, sights, removed }) {
      const judgeChange = toJudge(sights);
      const isAgreed = createAgreement(policy, action);
      const isForeign = createForeign(sandbox, workspace, sights);
      const differences = await snapshots.difference(pre, post);
      const denied: Found[] = [];
      const asked: Found[] = [];
      for (const difference of differences) {
        const path = toText(difference.path);
        const decision = judgeDifference(judgeChange, path, difference);
        if (decision === undefined) continue;
        const whose = decision.verdict === 'deny' ? isForeign(path) : 'the command';
        if (whose === 'somebody else' || isAgreed(decision, path)) continue;
        const told =
          whose === 'unknown'
            ? { ...decision, reason: `${decision.reason} ${replaced}` }
            : decision;
        const found = { ...toProtected(path, told, true), difference };
        if (decision.verdict === 'deny' && whose === 'the command') denied.push(found);
        else asked.push(found);
      }
      const isInSnapshot = async (path: string): Promise<boolean> =>
        ((await snapshots.find(post, path)) ?? (await snapshots.find(pre, path))) !== undefined;
      const uncovered = removed ?? (await findNew(sights, isInSnapshot));
      if (denied.length + asked.length + uncovered.length === 0) return { state: 'clean' };
      const withheld = {
        denied: [...denied.map(toChange), ...uncovered],
        remove: uncovered.map(({ path }) => path),
      };
      const whole = await without(snapshots, { tree: post, before: pre }, denied);
      if (asked.length === 0) return { state: 'denied', rest: whole, ...withheld };
      return {
        state: 'asks',
        whole,
        ...withheld,
        rest: await without(snapshots, { tree: whole, before: pre }, asked),
        asked: asked.map(toChange),
        digest: await toDigest(snapshots, digest, asked.map(toChange)),
      };
    },
  };

  async function findNew(
    sights: Sights,
    isInSnapshot: (path: string) => Promise<boolean>,
  ): Promise<ProtectedChange[]> {
    const judgeChange = toJudge(sights);
    const found: ProtectedChange[] = [];
    for (const path of await findNewSights(workspace, guard, sights, hasSnapshots)) {
      if (await isInSnapshot(path)) continue;
      const decision = judgeChange({ names: path.split('/'), operation: 'write' });
      if (decision !== undefined) found.push(toProtected(path, decision, false));
    }
    return found;
  }
}

const replaced =
  'No command could have changed it, but it was replaced from outside while one ran, possibly by you.';

type Found = ProtectedChange & { readonly difference: Difference };

const toChange = ({ difference: { before, after }, ...change }: Found): ProtectedChange => ({
  ...change,
  before,
  after,
});

const toProtected = (
  path: string,
  { rule, reason }: Decision,
  covered: boolean,
): ProtectedChange => ({ path, rule, reason, covered });

function judgeDifference(
  judgeChange: JudgeChange,
  path: string,
  { after }: Difference,
): Decision | undefined {
  return judgeChange({
    names: path.split('/'),
    operation: after === undefined ? 'delete' : 'write',
  });
}

const without = async (
  snapshots: Snapshots,
  { tree, before }: { readonly tree: string; readonly before: string },
  found: readonly Found[],
): Promise<string> =>
  found.length === 0
    ? tree
    : await snapshots.putBack(
        tree,
        before,
        found.map(({ difference }) => difference),
      );

/**
 * Whose change it is that a rule denies. Existing files were under a read-only mount: if the same file or folder is
 * still there, the command cannot have changed it; if it was replaced from outside, nobody can tell.
 */
const createForeign =
  (sandbox: Sandbox, root: string, { guarded }: Sights) =>
  (path: string): 'the command' | 'somebody else' | 'unknown' => {
    if (sandbox.kind !== 'bubblewrap') return 'the command';
    const top = Object.keys(guarded).find((each) => isBelow(path, each));
    const mark = top === undefined ? '' : (guarded[top] ?? '');
    if (top === undefined || mark === '') return 'the command';
    return toMark(join(root, top)) === mark ? 'somebody else' : 'unknown';
  };

async function toDigest(
  snapshots: Snapshots,
  action: string,
  asked: readonly ProtectedChange[],
): Promise<string> {
  const describe = async (entry: FileEntry | undefined): Promise<unknown> =>
    entry === undefined
      ? null
      : { mode: entry.mode, sha256: sha256Of(await snapshots.content(entry)) };
  const changes: unknown[] = [];
  for (const { path, rule, before, after } of asked)
    changes.push({ path, rule, before: await describe(before), after: await describe(after) });
  return hashOf(toCanonical({ v: 1, kind: 'change', action, changes }));
}

/** Protected files whose merged content neither side has: each side was approved, the mixture was not. */
export async function findMixed(
  snapshots: Snapshots,
  policy: Policy,
  { ours, theirs, merged }: Readonly<Record<'ours' | 'theirs' | 'merged', string>>,
): Promise<string[]> {
  const judgeChange = createChangeJudge(policy, { aliases: [], hooksFolders: [], fetched });
  const fromOurs = await snapshots.difference(ours, merged);
  const fromTheirs = new Set((await snapshots.difference(theirs, merged)).map(({ path }) => path));
  return fromOurs
    .filter((difference) => {
      const path = toText(difference.path);
      return (
        fromTheirs.has(difference.path) &&
        judgeDifference(judgeChange, path, difference) !== undefined
      );
    })
    .map(({ path }) => toText(path));
}

/** Deletes what is new and in no snapshot. Call after the command's processes are gone. */
export function removeUncovered(root: string, paths: readonly string[]): void {
  for (const path of paths) rmSync(join(root, path), { recursive: true, force: true });
}
