import type { Decision } from '../../policies/action.ts';
import { decideNames, decideWritten, locate } from '../../policies/paths/paths.ts';
import type { PathOp } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';

/**
 * Judges where a path leads, given the links in a case's `setup`. For checks only and without any files: at run time
 * the file tools resolve links themselves and judge the result.
 */
export function decideLinked(
  policy: Policy,
  op: unknown,
  path: unknown,
  setup: unknown,
  workspace: string,
): Decision | undefined {
  const links = toLinks(setup, workspace);
  if (links.size === 0 || typeof path !== 'string' || !isPathOp(op)) return undefined;
  const where = { workspace, cwd: [] };
  const start = locate(path, where);
  let names = start.ok ? start.names : [];
  for (let steps = 0; steps < 40; steps++) {
    const at = names.findIndex((_, index) => links.has(names.slice(0, index + 1).join('/')));
    if (at < 0) return decideNames(policy, op, names);
    const target = links.get(names.slice(0, at + 1).join('/')) ?? '';
    const rest = names.slice(at + 1).map((name) => `/${name}`);
    const next = locate(target + rest.join(''), { workspace, cwd: names.slice(0, at) });
    if (!next.ok) return decideWritten(policy, op, target, { workspace, cwd: names.slice(0, at) });
    names = next.names;
  }
  const reason = `${JSON.stringify(path)} goes through too many links.`;
  return { verdict: 'deny', rule: 'paths.links', reason, effect: 'pure' };
}

const isPathOp = (op: unknown): op is PathOp =>
  op === 'read' || op === 'write' || op === 'delete' || op === 'list';

function toLinks(setup: unknown, workspace: string): Map<string, string> {
  const links = new Map<string, string>();
  if (!Array.isArray(setup)) return links;
  for (const item of setup as readonly Partial<Record<string, unknown>>[]) {
    const { symlink, target } = item;
    if (typeof symlink !== 'string' || typeof target !== 'string') continue;
    const located = locate(symlink, { workspace, cwd: [] });
    if (located.ok) links.set(located.names.join('/'), target);
  }
  return links;
}
