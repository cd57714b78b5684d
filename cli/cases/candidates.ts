import { z } from 'zod';
import type { Decision } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import { matchesGlob, toGlob } from '../../policies/paths/glob.ts';
import { decideUrl } from '../../policies/network/network.ts';
import { parsePolicy } from '../../policies/parse.ts';
import { builtIn } from '../../tools/built-in.ts';
import type { Policy } from '../../policies/policy.ts';
import { parseYaml } from '../../policies/yaml.ts';
import type { PolicyProblem } from '../../policies/yaml.ts';

/** A case may contain a whole policy in one document, with common short tool names. */
const short: ReadonlyMap<string, string> = new Map([
  ['fs.read', 'read_file'],
  ['fs.list', 'list_files'],
  ['fs.search', 'search'],
  ['fs.write', 'write_file'],
  ['fs.edit', 'edit_file'],
  ['fs.delete', 'delete_file'],
  ['exec', 'run_command'],
]);

const emptyFile = '{"version":1}';
const noTools = '{"version":1,"tools":{}}';

const refused = (rule: string, problems: readonly PolicyProblem[]): Decision => ({
  verdict: 'deny',
  rule,
  reason: `The policy is not valid: ${problems.map(({ message }) => message).join('; ')}.`,
  effect: 'pure',
});

/** `base` with another host list, or what is wrong with that list. */
export function withNetwork(base: Policy, allow: readonly string[]): Policy | Decision {
  const network = JSON.stringify({ version: 1, allow });
  const parsed = parsePolicy({ tools: noTools, network, paths: emptyFile });
  if (!parsed.ok) return refused('network.invalid', parsed.problems);
  return { ...base, network: parsed.policy.network };
}

const given = z.object({ yaml: z.string(), probe: z.looseObject({ tool: z.string() }).optional() });

/**
 * Checks a policy written as one document and, if the case has a probe, what it decides. Defaults for missing sections:
 * reading allowed, everything else denied; commands are those of `base`.
 */
export function checkPolicyText(
  base: Policy,
  input: Record<string, unknown>,
  workspace: string,
): Decision {
  const { yaml, probe } = given.parse(input);
  const document = parseYaml('policy.yaml', yaml);
  if (!('value' in document)) return refused('policy.invalid', document);
  const parsed = parsePolicy(toFiles(document.value));
  if (!parsed.ok) return refused('policy.invalid', parsed.problems);
  const { policy } = parsed;
  if (probe === undefined) {
    return {
      verdict: 'allow',
      rule: 'policy.valid',
      reason: 'The policy is valid.',
      effect: 'pure',
    };
  }
  const { tool, url, ...args } = probe;
  const rule = policy.tools.find(({ glob }) => matchesGlob(glob, [tool]));
  if (rule === undefined || rule.verdict === 'deny') {
    const reason = `The tool ${tool} is not allowed.`;
    return { verdict: 'deny', rule: rule?.id ?? 'tools.default', reason, effect: 'pure' };
  }
  const own = { ...rule, glob: toGlob('*') };
  const judged: Policy = {
    ...policy,
    tools: [own],
    commands: policy.commands.size > 0 ? policy.commands : base.commands,
    shell: base.shell,
  };
  if (typeof url === 'string') {
    const empty = policy.budgets.toolCalls === 0;
    const decision = decideUrl(judged, url);
    return empty ? { ...decision, verdict: 'deny', rule: 'budgets.tool_calls' } : decision;
  }
  const name = short.get(tool) ?? tool;
  const content = 'content' in (builtIn.find(name)?.example ?? {}) ? { content: '' } : {};
  return decide(judged, builtIn.toAction({ tool: name, args: { ...content, ...args }, workspace }));
}

function toFiles(value: unknown): { tools: string; network: string; paths: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { tools: JSON.stringify(value), network: emptyFile, paths: emptyFile };
  }
  const { version, paths = {}, network = {}, ...tools } = value as Record<string, unknown>;
  const all = { allow: ['**'] };
  const section = (part: unknown, extra: object): string =>
    JSON.stringify(
      typeof part === 'object' && part !== null ? { version, ...extra, ...part } : part,
    );
  const write =
    typeof paths === 'object' && paths !== null && 'write' in paths ? paths.write : undefined;
  return {
    tools: JSON.stringify({ version, ...tools }),
    network: section(network, {}),
    paths: section(paths, { read: all, delete: write }),
  };
}
