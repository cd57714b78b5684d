/** Judges the cases of a corpus (`policies check --cases`) by translating each into an action. */
import { z } from 'zod';
import type { Decision, ToolCall } from '../../policies/action.ts';
import { checkPolicyText, withNetwork } from './candidates.ts';
import { decide } from '../../policies/decide.ts';
import { decideLinked } from './links.ts';
import { decideUrl } from '../../policies/network/network.ts';
import { builtIn } from '../../tools/built-in.ts';
import { tool as runCommand } from '../../tools/run-command.ts';
import type { Policy } from '../../policies/policy.ts';
import { strictest } from '../../policies/strictest.ts';

const tools: ReadonlyMap<unknown, string> = new Map([
  ['read', 'read_file'],
  ['write', 'write_file'],
  ['list', 'list_files'],
  ['delete', 'delete_file'],
  ['edit', 'edit_file'],
  ['search', 'search'],
]);

/** Inserts the workspace, the folder beside it, and a port. */
function fillIn(given: Record<string, unknown>, workspace: string): Record<string, unknown> {
  const outside = workspace.replace(/[^/]+\/*$/, 'out');
  const values: Record<string, string> = { WS: workspace, OUT: outside, PORT: '9', UDP: '9' };
  const text = JSON.stringify(given).replace(/\$\{(WS|OUT|PORT|UDP)\}/g, (_, name: string) =>
    JSON.stringify(values[name]).slice(1, -1),
  );
  return JSON.parse(text) as Record<string, unknown>;
}

/** Judges the `input` of a case; undefined for kinds that policies do not decide. */
export function decideCase(
  policy: Policy,
  kind: string,
  input: Record<string, unknown>,
  workspace: string,
): Decision | undefined {
  const given = fillIn(input, workspace);
  switch (kind) {
    case 'path': {
      const { op, path, content, setup } = given;
      const tool = tools.get(op) ?? String(op);
      const written = decide(
        policy,
        builtIn.toAction({ tool, args: toFileArgs(tool, { path, content }), workspace }),
      );
      const place = decideLinked(policy, op, path, setup, workspace);
      return place === undefined ? written : strictest(written, place);
    }
    case 'command':
      return decide(policy, builtIn.toAction(toCommandCall(given, workspace)));
    case 'network':
      return decideRequests(policy, given);
    case 'policy-yaml':
      return checkPolicyText(policy, given, workspace);
    default:
      return undefined;
  }
}

/** What a case leaves out is filled in from the tool's example; the policy looks at the path and the content. */
function toFileArgs(
  tool: string,
  { path, content = '' }: Record<string, unknown>,
): Record<string, unknown> {
  const { example = {} } = builtIn.find(tool) ?? {};
  const written = 'content' in example ? { content } : {};
  return { ...example, ...written, path };
}

/** Keys that are not arguments of the tool, such as `env`, are kept and therefore refused. */
function toCommandCall(given: Record<string, unknown>, workspace: string): ToolCall {
  const { shell, timeout_ms, setup: _, then: __, race: ___, ...rest } = given;
  const args = {
    ...rest,
    command: shell ?? rest['command'],
    timeoutSeconds:
      typeof timeout_ms === 'number' ? Math.ceil(timeout_ms / 1000) : rest['timeoutSeconds'],
  };
  return { tool: runCommand.name, args, workspace };
}

const request = z.object({
  url: z.string(),
  method: z.string().default('GET'),
  allow: z.array(z.string()).optional(),
  dns: z.record(z.string(), z.array(z.array(z.string()))).default({}),
  redirects: z.array(z.string()).default([]),
});
const usualAnswers: Readonly<Record<string, string[][]>> = {
  'api.example.com': [['93.184.216.34']],
  'host.docker.internal': [['172.17.0.1']],
};

/** The request and each redirect, with every DNS answer. */
function decideRequests(base: Policy, given: Record<string, unknown>): Decision {
  const { url, method, allow, dns, redirects } = request.parse(given);
  const policy = allow === undefined ? base : withNetwork(base, allow);
  if ('verdict' in policy) return policy;
  let previous = url;
  const urls = [
    url,
    ...redirects.map((next) => (previous = URL.parse(next, previous)?.href ?? next)),
  ];
  const decisions = urls.flatMap((target) => {
    const host = URL.parse(target)?.hostname ?? '';
    const answers = dns[host] ?? usualAnswers[host] ?? [undefined];
    return answers.map((addresses) => decideUrl(policy, target, addresses, method));
  });
  const [first, ...others] = decisions;
  return strictest(first ?? decideUrl(policy, url, [], method), ...others);
}
