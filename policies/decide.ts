import type { Access, Action, CommandAccess, Decision, FileAccess, Limits } from './action.ts';
import type { CommandLine } from './commands/command.ts';
import { decideParts, judgeSimple } from './commands/parts.ts';
import type { Part } from './commands/parts.ts';
import { matchesGlob } from './paths/glob.ts';
import { liftCall, liftParts } from './grants/grants.ts';
import { hasNetwork } from './network/network.ts';
import { atRoot, decideWritten, locate } from './paths/paths.ts';
import type { PathOp } from './paths/paths.ts';
import type { Policy, ToolRule } from './policy.ts';
import { judgeScript } from './commands/script.ts';
import { toCommandLine } from './commands/shell.ts';
import { strictest } from './strictest.ts';

/** The run's limits. The workflow counts and enforces them, except a zero, which is enforced here. */
export const limitsOf = ({ budgets }: Policy): Limits => ({
  steps: budgets.steps,
  toolCalls: budgets.toolCalls,
  tokens: budgets.tokens,
  minutes: budgets.minutes,
  outputBytes: budgets.runOutputBytes,
  usd: budgets.usd,
  modelCalls: budgets.modelCalls,
  perTool: budgets.perTool.size === 0 ? undefined : Object.fromEntries(budgets.perTool),
});

const deny = (rule: string, reason: string, effect: Decision['effect'] = 'pure'): Decision => ({
  verdict: 'deny',
  rule,
  reason,
  effect,
});

/** Judges one tool call. Total: what cannot be judged is denied, even when judging throws. */
export function decide(policy: Policy, action: Action): Decision {
  try {
    return decideTool(policy, action);
  } catch (error) {
    return deny('policy.failed', `The action could not be judged: ${String(error)}.`);
  }
}

function decideTool(policy: Policy, action: Action): Decision {
  const { tool, access } = action;
  if (typeof tool !== 'string') return deny('tools.form', 'The name of the tool must be text.');
  const rule = policy.tools.find(({ glob }) => matchesGlob(glob, [tool]));
  const name = JSON.stringify(tool.slice(0, 80));
  if (rule === undefined) {
    return deny('tools.default', `There is no tool ${name}, or tools.yaml does not allow it.`);
  }
  if (rule.verdict === 'deny') {
    return deny(
      rule.id,
      `The tool ${tool} is not allowed: ${rule.reason ?? 'tools.yaml denies it'}.`,
    );
  }
  const spent = policy.budgets.toolCalls === 0 ? 'tool_calls' : undefined;
  const perTool = policy.budgets.perTool.get(tool)?.calls === 0 ? `per_tool.${tool}` : undefined;
  const empty = spent ?? perTool;
  if (empty !== undefined) {
    return deny(`budgets.${empty}`, `The budget ${empty} of tools.yaml is 0: no call is allowed.`);
  }
  switch (access.section) {
    case 'unknown':
      return deny('tools.unknown', `There is no tool ${name}.`);
    case 'form':
      return deny('tools.form', `Invalid arguments for ${tool}: ${access.problem}.`, access.effect);
    case 'tools':
      return liftCall(policy, action, ofRule(rule, tool, access.effect));
    case 'none':
    case 'paths':
    case 'commands': {
      const decision = decideAccess(policy, action, access);
      const own = ofRule(rule, tool, 'pure');
      const asked = own.verdict === 'ask' ? strictest(own, decision) : decision;
      return liftCall(policy, action, asked);
    }
  }
}

const ofRule = (
  { id, verdict, reason }: ToolRule,
  tool: string,
  effect: Decision['effect'],
): Decision => ({
  verdict,
  rule: id,
  reason:
    verdict === 'ask'
      ? `The tool ${tool} needs a person’s approval${reason === undefined ? '' : `: ${reason}`}.`
      : `The tool ${tool} is allowed.`,
  effect,
});

function decideAccess(
  policy: Policy,
  { tool, workspace }: Action,
  access: Exclude<Access, { section: 'tools' }>,
): Decision {
  switch (access.section) {
    case 'paths':
      return decideFile(policy, access, workspace);
    case 'commands':
      return decideCommand(policy, access, workspace);
    case 'none':
      return {
        verdict: 'allow',
        rule: `tools.${tool}`,
        reason: `${tool} only talks.`,
        effect: 'pure',
      };
  }
}

function decideFile(policy: Policy, access: FileAccess, workspace: string): Decision {
  const { op, path, content = '' } = access;
  const judge = (each: PathOp) => decideWritten(policy, each, path, { ...atRoot, workspace });
  const decision = op === 'edit' ? strictest(judge('write'), judge('read')) : judge(op);
  return strictest(decision, ...sizeProblem(policy, content));
}

function sizeProblem({ paths }: Policy, content: string): Decision[] {
  const bytes = new TextEncoder().encode(content).length;
  if (bytes <= paths.writeBytes) return [];
  const reason = `The content has ${bytes} bytes; at most ${paths.writeBytes} may be written at once.`;
  return [deny('paths.limits.write_bytes', reason, 'workspace')];
}

/** Judges a command line by `commands` and `shell` alone. */
export function decideCommand(policy: Policy, access: CommandAccess, workspace: string): Decision {
  const located = locate(access.cwd ?? '.', { workspace, cwd: [] });
  if (!located.ok) return deny(located.rule, located.reason, 'workspace');
  const line = toCommandLine(access, workspace);
  const parts = judgeLine(policy, line, workspace);
  const strict = decideParts(parts);
  // If a grant lifted the verdict, name the grant.
  const lifted = parts.find(({ decision: { rule } }) =>
    policy.grants.some(({ id }) => id === rule),
  );
  const decision =
    strict.verdict === 'allow' && lifted !== undefined
      ? { ...lifted.decision, effect: strict.effect }
      : strict;
  const reaches =
    line.kind === 'plain' &&
    line.pipelines.some(({ commands }) => commands.some(({ argv }) => hasNetwork(policy, argv)));
  return reaches ? { ...decision, effect: 'external' } : decision;
}

/** Each part of a command line with the verdict on it alone. */
export const judgeLine = (policy: Policy, line: CommandLine, workspace: string): Part[] =>
  line.kind === 'plain'
    ? liftParts(policy, judgeSimple(policy, line, workspace), workspace)
    : judgeScript(policy, line, workspace);
