/** Loop detection: pure counting over the last actions, each remembered as a few short hashes. */
import type { ActResult } from '../activities/contract/act.ts';

export interface PastAction {
  /** Tool, arguments and what came of them. */
  readonly call: string;
  /** Tool and arguments alone; absent in runs that went on from an older history. */
  readonly act?: string;
  /** The workspace after it. */
  readonly tree: string;
  /** The kind of error; empty when there was none. */
  readonly error: string;
}

type Outcome = Pick<ActResult, 'digest' | 'ok' | 'exitCode' | 'bytes' | 'head' | 'output'>;

/** How often the newest action, and its error, came without anything new between. */
export interface Repeats {
  readonly calls: number;
  readonly errors: number;
}

/** Actions looked back upon: long enough for a circle of four calls to come round twelve times. */
const lookBack = 48;

/** The actions with one more. */
export const remember = (
  past: readonly PastAction[],
  result: Outcome,
  tree: string,
): PastAction[] => [...past, toPastAction(result, tree)].slice(-lookBack);

function toPastAction(result: Outcome, tree: string): PastAction {
  const { digest, ok, exitCode, bytes, head, output = head } = result;
  return {
    call: toMark(`${digest} ${ok} ${exitCode ?? ''} ${bytes} ${output}`),
    act: toMark(digest),
    tree: toMark(tree),
    error: ok ? '' : toMark(toKind(head)),
  };
}

/**
 * Counts for the newest action. A call counts with its outcome and the workspace, since the last action that showed anything
 * new: reading one file again between new ones, or sleeping while what is looked at changes, is no circle. In a row it counts
 * whatever it changed. An error counts in a row, of whatever calls, as long as no call's outcome changes.
 */
export function countRepeats(past: readonly PastAction[]): Repeats {
  const newest = past.at(-1);
  if (newest === undefined) return { calls: 0, errors: 0 };
  const news = past.findLastIndex((action, at) =>
    past.slice(0, at).every((earlier) => !isSame(earlier, action)),
  );
  const inCircle = 1 + past.slice(news + 1).filter((action) => isSame(action, newest)).length;
  return { calls: Math.max(inCircle, countRow(past)), errors: countErrors(past) };
}

/** As runs count that were begun before news between repeats mattered. */
export function countAlike(past: readonly PastAction[]): Repeats {
  const newest = past.at(-1);
  if (newest === undefined) return { calls: 0, errors: 0 };
  const inCircle = past.filter((action) => isSame(action, newest)).length;
  const { error } = newest;
  return {
    calls: Math.max(inCircle, countRow(past)),
    errors: error === '' ? 0 : countBack(past, (action) => action.error === error),
  };
}

const isSame = (one: PastAction, other: PastAction): boolean =>
  one.call === other.call && one.tree === other.tree;

const countRow = (past: readonly PastAction[]): number =>
  countBack(past, ({ call }) => call === past.at(-1)?.call);

/** A call that fails otherwise than before waits for something, or gets on. */
function countErrors(past: readonly PastAction[]): number {
  const error = past.at(-1)?.error ?? '';
  if (error === '') return 0;
  const outcomes = new Map<string, string>();
  return countBack(past, (action) => {
    const act = action.act ?? action.call;
    const later = outcomes.get(act) ?? action.call;
    outcomes.set(act, action.call);
    return action.error === error && later === action.call;
  });
}

function countBack<T>(items: readonly T[], fits: (item: T) => boolean): number {
  const index = items.findLastIndex((item) => !fits(item));
  return items.length - 1 - index;
}

/** Numbers, and names of files, differ from one failure to the next of the same kind. */
const toKind = (text: string): string =>
  text
    .replaceAll(/[\w@~./-]+/g, (word) => (/[./]/.test(word) ? '/' : word))
    .replaceAll(/\d+/g, '0')
    .slice(0, 120);

/** Short, so that many fit into the state: FNV-1a, 32 bits. */
function toMark(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash.toString(36);
}
