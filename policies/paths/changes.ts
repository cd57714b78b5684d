/**
 * Judges what a command changed, by the rules for file tools. What a command will write cannot be known beforehand; the
 * difference it leaves can.
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

/** Facts about a workspace that the rules do not name. */
export interface Places {
  /** Symlinks that point protected names at other files: a change of `target` is judged as a change of `as`. */
  readonly aliases: readonly { readonly target: string; readonly as: string }[];
  /** Folders git is configured to take hooks from, relative to the root; `.` for the root. */
  readonly hooksFolders: readonly string[];
  /**
   * Names of package folders such as `node_modules`: code there runs as part of the project anyway, and none of the
   * operator's tools obeys a file in it.
   */
  readonly fetched: ReadonlySet<string>;
}

/** The decision that protects a path; undefined for an unprotected path. */
export type JudgeChange = (changed: ChangedPath) => Decision | undefined;

const protections = new WeakMap<Policy, IsDenied>();

/** Whether a rule may protect a name. Quick; may be true too often, never false wrongly. */
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

/** Hook names that git runs (githooks(5)). */
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
    // "No rule allows it" binds file tools only; commands are bound by what a rule protects.
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

/** git installs these beside its hooks and never runs them. */
const isSample = (names: readonly string[]): boolean =>
  foldName(names.at(-1) ?? '').endsWith('.sample') && names.some((name) => /\.git$/i.test(name));
