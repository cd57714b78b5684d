/** A workspace's hooks: `.agent/hooks.yaml`. */
import { join } from 'node:path';
import { parseHooks } from '../policies/hooks.ts';
import type { Hook } from '../policies/policy.ts';
import type { PolicyProblem } from '../policies/yaml.ts';
import { readOwnFile, renderProblem } from './policy-file.ts';

/** Invalid hooks.yaml: no run starts there until it is fixed. */
export class HooksError extends Error {
  override readonly name = 'HooksError';
  readonly exitCode = 78;

  constructor(dir: string, problems: readonly PolicyProblem[]) {
    const lines = problems.map((problem) => renderProblem(dir, problem));
    super(`The hooks of the workspace have mistakes:\n${lines.join('\n')}`);
  }
}

/** Empty without the file. @throws HooksError with every mistake in it. */
export function readHooks(workspace: string): readonly Hook[] {
  const dir = join(workspace, '.agent');
  const file = readOwnFile(workspace, ['.agent'], 'hooks.yaml');
  if ('missing' in file) return [];
  if ('problem' in file) throw new HooksError(dir, [file.problem]);
  const parsed = parseHooks(file.text);
  if (!parsed.ok) throw new HooksError(dir, parsed.problems);
  return parsed.hooks;
}

/** As `readHooks`, returning the mistakes instead of throwing. */
export function tryHooks(
  workspace: string,
): { readonly hooks: readonly Hook[] } | { readonly problem: string } {
  try {
    return { hooks: readHooks(workspace) };
  } catch (error) {
    if (!(error instanceof HooksError)) throw error;
    return { problem: error.message };
  }
}
