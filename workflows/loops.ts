/** Loop detection: pure counting over the last actions, each reduced to a few short hashes. */
import type { ActResult } from '../activities/contract/act.ts';

export interface PastAction {
  /** Tool, arguments and result. */
  readonly call: string;
  /** Tool and arguments alone; absent in runs continued from an older history. */
  readonly act?: string;
  /** The workspace afterwards. */
  readonly tree: string;
  /** The kind of error, or empty. */
  readonly error: string;
}

type Outcome = Pick<ActResult, 'digest' | 'ok' | 'exitCode' | 'bytes' | 'head' | 'output'>;

/** How often the newest action, and its error, occurred with nothing new in between. */
export interface Repeats {
  readonly calls: number;
  readonly errors: number;
}

/** Number of actions remembered: enough for a cycle of four calls to repeat twelve times. */
const lookBack = 48;

/** Appends an action. */
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
 * Counts repeats of the newest action. A call is identified by its result and the workspace, and counted since the last
 * action that showed anything new: rereading a file between new ones, or polling something that changes, is not a loop.
 * Consecutive calls count whatever they changed. Errors count consecutively across calls, as long as no call's result
 * changes.
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

/** How runs count that were begun before news between repeats mattered. */
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

/** A call failing differently than before is waiting for something or making progress. */
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

/** Removes numbers and file names, which differ between failures of the same kind. */
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
