import type { Action, Decision } from '../../policies/action.ts';
import { isBelow } from '../../policies/paths/changes.ts';
import { decide } from '../../policies/decide.ts';
import { locate } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { rulesThatAsk } from '../../policies/strictest.ts';

/**
 * Changes approved together with the command, once or always: to paths in its words, if the rule that asks about them
 * is the same.
 */
export function createAgreement(
  policy: Policy,
  action: Action,
): (decision: Decision, path: string) => boolean {
  const rules = new Set(rulesThatAsk(decide({ ...policy, grants: [] }, action)));
  const named = rules.size === 0 ? [] : listNamed(action);
  return ({ rule }, path) => rules.has(rule) && named.some((each) => isBelow(path, each));
}

/** Paths in a plain command line, and the names they would have in a folder in it. */
function listNamed({ access, workspace }: Action): string[] {
  if (access.section !== 'commands') return [];
  const line = toCommandLine(access, workspace);
  if (line.kind !== 'plain') return [];
  return line.pipelines.flatMap(({ cwd, commands }) =>
    commands.flatMap(({ argv, redirects }) => {
      const words = [
        ...argv.slice(1),
        ...redirects.flatMap((redirect) => ('path' in redirect ? [redirect.path] : [])),
      ];
      const where = { workspace, cwd: cwd === '.' ? [] : cwd.split('/') };
      const paths = words.flatMap((word) => {
        const located = locate(word, where);
        return located.ok && located.names.length > 0 ? [located.names] : [];
      });
      const leaves = paths.map((names) => names.at(-1) ?? '');
      const folders = [where.cwd, ...paths];
      return [
        ...paths.map((names) => names.join('/')),
        ...folders.flatMap((folder) => leaves.map((leaf) => [...folder, leaf].join('/'))),
      ];
    }),
  );
}
