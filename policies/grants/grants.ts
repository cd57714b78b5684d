/**
 * Grants: what a person chose to allow always. A grant lifts an `ask` of the operator's policy for exactly one action
 * in one workspace. It never lifts a `deny`, nor an `ask` of a rule it does not name, hence nothing a workspace asks
 * for and no rule added later.
 */
import type { Action, Decision, ToolCall } from '../action.ts';
import type { Part } from '../commands/parts.ts';
import { locate } from '../paths/paths.ts';
import type { Policy } from '../policy.ts';
import type { Grant } from './grant.ts';
import { rulesThatAsk } from '../strictest.ts';

const lift = (decision: Decision, { id, by, lifts }: Grant): Decision => {
  const { asks: _, ...rest } = decision;
  const reason = `${by} allowed exactly this always (${id}), though ${lifts.join(' and ')} asks.`;
  return { ...rest, verdict: 'allow', rule: id, reason };
};

/** Applies the first matching grant that lifts every asking rule; otherwise returns the decision unchanged. */
function liftBy(
  { grants }: Policy,
  decision: Decision,
  workspace: string,
  fits: (grant: Grant) => boolean,
): Decision {
  const asks = rulesThatAsk(decision);
  if (asks.length === 0) return decision;
  const found = grants.find(
    (grant) =>
      grant.workspace === workspace &&
      asks.every((rule) => grant.lifts.includes(rule)) &&
      fits(grant),
  );
  return found === undefined ? decision : lift(decision, found);
}

/** The parts of a plain line, with granted commands allowed. */
export const liftParts = (policy: Policy, parts: readonly Part[], workspace: string): Part[] =>
  parts.map((part) => {
    const { argv = [], bare, cwd } = part;
    if (bare !== true) return part;
    const decision = liftBy(
      policy,
      part.decision,
      workspace,
      ({ granted }) =>
        granted.kind === 'command' && granted.cwd === cwd && isSame(granted.argv, argv),
    );
    return decision === part.decision ? part : { ...part, decision };
  });

/** The decision on a whole call. */
export const liftCall = (
  policy: Policy,
  { tool, args, access, workspace }: Action,
  decision: Decision,
): Decision =>
  liftBy(policy, decision, workspace, (grant) => {
    if (grant.tool !== tool) return false;
    const { granted } = grant;
    switch (granted.kind) {
      case 'command':
        return false;
      case 'text':
        return (
          access.section === 'commands' &&
          granted.text === access.command &&
          granted.cwd === placeOf(access.cwd, workspace)
        );
      case 'file':
        return access.section === 'paths' && granted.path === placeOf(access.path, workspace);
      case 'call':
        return isByCall(access) && isSame(granted.args, args);
    }
  });

/** True if only the tool's rule judges the call, so a grant must name all its arguments. */
export const isByCall = ({ section }: Action['access']): boolean =>
  section === 'tools' || section === 'none';

/** The decision on a path a file tool resolved, relative to the workspace root and free of links. */
export const liftPath = (
  policy: Policy,
  { tool, workspace }: Pick<ToolCall, 'tool' | 'workspace'>,
  path: string,
  decision: Decision,
): Decision =>
  liftBy(
    policy,
    decision,
    workspace,
    ({ tool: its, granted }) =>
      its === tool && granted.kind === 'file' && granted.path === placeOf(path, workspace),
  );

/** Relative to the workspace root, `.` for the root; undefined for a path outside it. */
export function placeOf(path: string | undefined, workspace: string): string | undefined {
  const located = locate(path ?? '.', { workspace, cwd: [] });
  if (!located.ok) return undefined;
  return located.names.length === 0 ? '.' : located.names.join('/');
}

/** Deep equality of JSON values; key order does not matter. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => isSame(item, b[index]))
    );
  if (!isObject(a) || !isObject(b)) return Object.is(a, b);
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;
