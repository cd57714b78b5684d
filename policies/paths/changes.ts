/**
 * What a command changed, judged by the rules that file tools are judged by. A command is not known beforehand by what it
 * writes; the difference it leaves is.
 */
import type { Decision } from '../action.ts';
import { createDenial } from './denied.ts';
import type { IsDenied } from './denied.ts';
import { foldName } from './glob.ts';
import { decideNames } from './paths.ts';
import type { Policy } from '../policy.ts';

export interface ChangedPath {
  /** Below the workspace root. */
  readonly names: readonly string[];
  readonly operation: 'write' | 'delete';
}

/** What of a workspace the rules do not name. */
export interface Places {
  /** Links of protected names inside the workspace: what `target` holds is found under `as`, and is judged as if it stood there. */
  readonly aliases: readonly { readonly target: string; readonly as: string }[];
  /** Folders, relative to the root, that git is set to take hooks from; `.` for the root itself. */
  readonly hooksFolders: readonly string[];
  /**
   * Names of folders that hold what a package manager has fetched: whoever writes there decides what the project's own
   * programs do anyway, and nothing of the operator's obeys a file in them.
   */
  readonly fetched: ReadonlySet<string>;
}

/** The decision that protects a path; undefined for a path that is nobody's but the project's. */
export type JudgeChange = (changed: ChangedPath) => Decision | undefined;

const protections = new WeakMap<Policy, IsDenied>();

/** Whether some rule may protect a name: quick, and never false for what one does. */
function protectionOf(policy: Policy): IsDenied {
  const made = protections.get(policy);
  if (made !== undefined) return made;
  const each = (['write', 'delete'] as const).flatMap((operation) =>
    (['deny', 'ask'] as const).map((verdict) => createDenial(policy, operation, verdict)),
  );
  const isProtected: IsDenied = (folder, name) => each.some((isNamed) => isNamed(folder, name));
  protections.set(policy, isProtected);
  return isProtected;
}

/** Hooks by the names git starts them by (githooks(5)). */
const hookNames =
  /^(?:(?:pre|post|prepare|commit|applypatch|push|reference|update|sendemail|fsmonitor|proc|p4)(?:-[a-z0-9-]+)?)$/;

export function createChangeJudge(policy: Policy, places: Places): JudgeChange {
  const { aliases, hooksFolders, fetched } = places;
  const isProtected = protectionOf(policy);

  const judgeNames = ({ names, operation }: ChangedPath): Decision | undefined => {
    const name = names.at(-1) ?? '';
    if (!isProtected(names.slice(0, -1), name)) return undefined;
    const isShielded = names.slice(0, -1).findIndex((each) => fetched.has(each));
    if (isShielded >= 0 && !isProtected(names.slice(0, isShielded), names[isShielded] ?? ''))
      return undefined;
    if (isSample(names)) return undefined;
    const decision = decideNames(policy, operation, names);
    // What no rule allows is for file tools to say; commands are bound by what a rule protects.
    const isRule = decision.verdict !== 'allow' && !decision.rule.endsWith('.default');
    return isRule ? decision : undefined;
  };

  const judgeHook = ({ names, operation }: ChangedPath): Decision | undefined => {
    const path = names.join('/');
    const folder = hooksFolders.find((each) =>
      each === '.' ? names.length === 1 && hookNames.test(path) : isBelow(path, each),
    );
    if (folder === undefined) return undefined;
    const verb = operation === 'write' ? 'Writing' : 'Deleting';
    const reason = `${verb} ${JSON.stringify(path)} needs a person’s approval: git starts what is in ${folder} (core.hooksPath)`;
    return { verdict: 'ask', rule: 'git.hooks-path', reason, effect: 'workspace' };
  };

  return (changed) => {
    const path = changed.names.join('/');
    const others = aliases
      .filter(({ target }) => isBelow(path, target))
      .map(({ target, as }) => ({
        ...changed,
        names: `${as}${path.slice(target.length)}`.split('/'),
      }));
    const found = [changed, ...others].flatMap((each) => judgeNames(each) ?? []);
    return found.find(({ verdict }) => verdict === 'deny') ?? found[0] ?? judgeHook(changed);
  };
}

export const isBelow = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`);

/** git writes these beside its hooks and never starts them. */
const isSample = (names: readonly string[]): boolean =>
  foldName(names.at(-1) ?? '').endsWith('.sample') && names.some((name) => /\.git$/i.test(name));
