import type { Decision, Verdict } from '../action.ts';
import { foldName, matchesGlob } from './glob.ts';
import type { PathRule, Policy } from '../policy.ts';

export type PathOp = 'read' | 'write' | 'delete' | 'list';

/** Where relative paths start, below the workspace root. */
export interface Where {
  /** Absolute. Without it, absolute paths are refused. */
  readonly workspace?: string;
  readonly cwd: readonly string[];
  /** Words may contain unknown parts that only a shell can fill in; any path found is allowed only with approval. */
  readonly loose?: boolean;
}

/** A path below the workspace root, or why it is not one. */
export type Located =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly rule: string; readonly reason: string };

export const atRoot: Where = { cwd: [] };

const refusal = (rule: string, reason: string): Located => ({ ok: false, rule, reason });
const malformed = (reason: string) => refusal('paths.form', reason);
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f]/;
const encoder = new TextEncoder();
/** A chain of `cd` can go deeper than any single path. */
const maxDepth = 1_024;
const byteLength = (text: string): number =>
  /^[\u0020-\u007e]*$/.test(text) ? text.length : encoder.encode(text).length;

const quote = (text: string): string =>
  JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** Resolves `.` and `..` without touching files. Links are up to whoever opens the path. */
export function locate(text: string, { workspace, cwd }: Where): Located {
  const problem = formProblem(text);
  if (problem !== undefined) return malformed(`The path ${quote(text)} ${problem}.`);
  let start = cwd;
  let rest = text.split('/');
  if (text.startsWith('/')) {
    const root = (workspace ?? '').split('/').filter((name) => name !== '' && name !== '.');
    rest = rest.filter((name) => name !== '' && name !== '.');
    if (workspace === undefined || root.some((name, index) => rest[index] !== name)) {
      return outside(text);
    }
    start = [];
    rest = rest.slice(root.length);
  }
  const names = resolve(start, rest);
  if (names === undefined) return outside(text);
  if (names.length > maxDepth)
    return malformed(`The path ${quote(text)} leads more than ${maxDepth} folders down.`);
  // A backslash is part of a name here but a separator elsewhere: it must not hide a step up.
  if (text.includes('\\') && resolve(start, rest.join('/').split(/[\\/]/)) === undefined) {
    return outside(text);
  }
  return { ok: true, names };
}

const outside = (text: string) =>
  refusal(
    'paths.outside',
    `${quote(text)} is outside the workspace. Use a path relative to the workspace root.`,
  );

function resolve(start: readonly string[], rest: readonly string[]): string[] | undefined {
  const names = [...start];
  for (const name of rest) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
}

function formProblem(text: string): string | undefined {
  if (text === '') return 'is empty; expected a path such as "src/index.ts"';
  if (text.includes('\0')) return 'contains a NUL character';
  if (control.test(text)) return 'contains a control character';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (byteLength(text) > 4096) return 'is longer than 4096 bytes';
  if (text.split('/').some((name) => byteLength(name) > 255)) {
    return 'has a name longer than 255 bytes';
  }
  if (/^(?:file:|[a-z][a-z0-9+.-]*:\/\/)/i.test(text)) {
    return 'is a URL; expected a path relative to the workspace root';
  }
  if (/^~[^/]*(?:\/|$)/.test(text)) {
    return 'starts with "~", which is not expanded; use a path relative to the workspace root';
  }
}

/** Judges a path with links resolved, relative to the workspace root. */
export function decidePath(policy: Policy, op: PathOp, relativePath: string): Decision {
  const located = locate(relativePath, atRoot);
  return located.ok ? decideNames(policy, op, located.names) : denied(located, op);
}

/** As `decidePath`, for a path the model wrote: absolute or relative to `where.cwd`. */
export function decideWritten(policy: Policy, op: PathOp, text: string, where: Where): Decision {
  const located = locate(text, where);
  return located.ok ? decideNames(policy, op, located.names) : denied(located, op);
}

const effectOfOp = (op: PathOp) => (op === 'read' || op === 'list' ? 'pure' : 'workspace');

const denied = ({ rule, reason }: { rule: string; reason: string }, op: PathOp): Decision => ({
  verdict: 'deny',
  rule,
  reason,
  effect: effectOfOp(op),
});

const verbs: Record<Verdict, string> = {
  allow: 'is allowed',
  ask: 'needs a person’s approval',
  deny: 'is not allowed',
};
const nouns: Record<PathOp, string> = {
  read: 'Reading',
  list: 'Listing',
  write: 'Writing',
  delete: 'Deleting',
};

/** Judges components below the root: the first of deny, ask, allow that matches; none means deny. */
export function decideNames(policy: Policy, op: PathOp, names: readonly string[]): Decision {
  const path = names.length === 0 ? '.' : names.join('/');
  const effect = effectOfOp(op);
  if (names.length === 0 && op === 'delete') {
    const reason = 'The workspace folder itself cannot be deleted.';
    return { verdict: 'deny', rule: 'paths.root', reason, effect };
  }
  const section = op === 'list' ? 'read' : op;
  const folded = names.flatMap((name) => name.split('\\')).map(foldName);
  const rule = policy.paths[section].find((candidate) => matches(candidate, names, folded));
  if (rule === undefined) {
    const reason = `${nouns[op]} ${quote(path)} is not allowed: no rule of paths.yaml allows it.`;
    return { verdict: 'deny', rule: `paths.${section}.default`, reason, effect };
  }
  const why = rule.reason === undefined ? '.' : `: ${rule.reason}`;
  const reason = `${nouns[op]} ${quote(path)} ${verbs[rule.verdict]}${why}`;
  return { verdict: rule.verdict, rule: rule.id, reason, effect };
}

const matches = (
  { globs }: PathRule,
  names: readonly string[],
  folded: readonly string[],
): boolean => globs.some((glob) => matchesGlob(glob, glob.folded ? folded : names));
