import { parseGrants } from './grants/always.ts';
import { compileBudgets } from './budgets.ts';
import {
  compileWorkspace,
  compileCommands,
  compileNetworkCommands,
  compilePaths,
  compileSandbox,
  compileShell,
  compileUntrusted,
  toHostRules,
  toToolRules,
} from './compile.ts';
import { compileHooks } from './hooks.ts';
import { networkSchema, pathsSchema, toolsSchema } from './schema.ts';
import type { Policy } from './policy.ts';
import { readSection } from './section.ts';
import type { PolicyProblem } from './yaml.ts';

/** Contents of `tools.yaml`, `network.yaml`, `paths.yaml` and, if it exists, `always.yaml`. */
export interface PolicyFiles {
  readonly tools: string;
  readonly network: string;
  readonly paths: string;
  readonly always?: string;
}

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/**
 * Checks and compiles the policy files. Reports all problems at once, in reading order; `alwaysFile` is the name they
 * use for the fourth file.
 */
export function parsePolicy(files: PolicyFiles, alwaysFile = 'always.yaml'): ParsedPolicy {
  const problems: PolicyProblem[] = [];
  const tools = readSection('tools.yaml', files.tools, toolsSchema, problems);
  const network = readSection('network.yaml', files.network, networkSchema, problems);
  const paths = readSection('paths.yaml', files.paths, pathsSchema, problems);
  const { always } = files;
  const grants = always === undefined ? [] : parseGrants(alwaysFile, always, problems);

  const policy: Partial<Policy> = {
    grants,
    ...(tools && {
      tools: toToolRules(tools.value.tools, 'tools'),
      commands: compileCommands(tools.value, tools.report),
      shell: compileShell(tools.value),
      budgets: compileBudgets(tools.value),
      prices: tools.value.prices ?? {},
      workspace: compileWorkspace(tools.value),
      sandbox: compileSandbox(tools.value),
      untrusted: compileUntrusted(tools.value),
      hooks: compileHooks(tools.value.hooks ?? [], ['hooks'], tools.report),
    }),
    ...(network && {
      network: toHostRules(network.value, 'network'),
      networkCommands: compileNetworkCommands(network.value),
    }),
    paths: paths && compilePaths(paths.value),
  };
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, policy: policy as Policy };
}
