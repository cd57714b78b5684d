/**
 * What a workspace's `.agent/policies/` demands beyond the operator's policy. It can only tighten: loosening either
 * cannot be written (allow lists, command options) or has no effect (a higher number, a milder verdict). The stricter
 * verdict and the lower number win.
 */
import type { z } from 'zod';
import type { Verdict } from './action.ts';
import { tightenBudgets } from './budgets.ts';
import { toHostRules, toPathRules, toToolRules, toVariables } from './compile.ts';
import { toGlob } from './paths/glob.ts';
import { toOperands } from './commands/arg-spec.ts';
import { listKeys, readSection } from './section.ts';
import { askForOrder, seenOrder } from './policy.ts';
import { networkSchema, pathsSchema, toolsSchema } from './schema.ts';
import { tightening } from './tightening.ts';
import type { CommandRule, Policy, Rule } from './policy.ts';
import type { CommandWish } from './tightening.ts';
import type { At, PolicyProblem, Report } from './yaml.ts';

/** Contents of the files that exist. */
export interface TighteningFiles {
  readonly tools?: string;
  readonly network?: string;
  readonly paths?: string;
}

export type Tightened =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

const severity: Record<Verdict, number> = { allow: 0, ask: 1, deny: 2 };
const stricter = (a: Verdict, b: Verdict | undefined): Verdict =>
  b !== undefined && severity[b] > severity[a] ? b : a;
/** The later of two words in an order from mild to strict. */
const later = <T>(order: readonly T[], a: T, b: T | undefined): T =>
  b !== undefined && order.indexOf(b) > order.indexOf(a) ? b : a;
const smaller = (a: number, b: number | undefined): number => Math.min(a, b ?? a);

/** Rules in judging order (deny, ask, allow), the workspace's before the operator's. */
const join = <R extends Rule>(base: readonly R[], more: readonly R[]): R[] =>
  [...more, ...base].toSorted((a, b) => severity[b.verdict] - severity[a.verdict]);

let words: ReadonlySet<string> | undefined;
/** Includes the operator's keys, so that forbidden ones can be named. */
const ours = (): ReadonlySet<string> =>
  (words ??= listKeys(toolsSchema, networkSchema, pathsSchema, ...Object.values(tightening)));

/** The operator's policy tightened by a workspace's files, or all mistakes in them at once. */
export function tighten(policy: Policy, files: TighteningFiles): Tightened {
  const problems: PolicyProblem[] = [];
  const read = <T extends z.ZodType>(name: keyof TighteningFiles, schema: T) => {
    const text = files[name];
    if (text === undefined) return undefined;
    const keys = 'a key of the schema: a workspace may only tighten, with deny and ask';
    return readSection(`${name}.yaml`, text, schema, problems, { keys, known: ours() });
  };
  const tools = read('tools', tightening.tools);
  const network = read('network', tightening.network)?.value ?? {};
  const paths: Partial<z.infer<typeof tightening.paths>> =
    read('paths', tightening.paths)?.value ?? {};
  const commands = new Map(policy.commands);
  if (tools !== undefined) tightenCommands(commands, tools.value.commands ?? {}, [], tools.report);
  if (problems.length > 0) return { ok: false, problems };

  const { shell, budgets, untrusted } = tools?.value ?? {};
  const section = (op: 'read' | 'write' | 'delete') =>
    join(policy.paths[op], toPathRules(paths[op] ?? {}, `workspace.paths.${op}`));
  const variables = toVariables(shell?.variables);
  return {
    ok: true,
    policy: {
      ...policy,
      tools: join(policy.tools, toToolRules(tools?.value.tools ?? {}, 'workspace.tools')),
      commands,
      shell: {
        ...policy.shell,
        verdict: stricter(policy.shell.verdict, shell?.verdict),
        unlisted: stricter(policy.shell.unlisted, shell?.unlisted),
        variables: {
          allow: policy.shell.variables.allow,
          ask: [...policy.shell.variables.ask, ...variables.ask],
          deny: [...policy.shell.variables.deny, ...variables.deny],
        },
        tightened: new Set(
          (['verdict', 'unlisted'] as const).filter((name) => shell?.[name] === 'ask'),
        ),
      },
      budgets: tightenBudgets(policy.budgets, budgets),
      untrusted: {
        seen: later(seenOrder, policy.untrusted.seen, untrusted?.seen),
        askFor: later(askForOrder, policy.untrusted.askFor, untrusted?.ask_for),
      },
      paths: {
        read: section('read'),
        write: section('write'),
        delete: section('delete'),
        readBytes: smaller(policy.paths.readBytes, paths.limits?.read_bytes),
        writeBytes: smaller(policy.paths.writeBytes, paths.limits?.write_bytes),
      },
      network: join(policy.network, toHostRules(network, 'workspace.network')),
    },
  };
}

function tightenCommands(
  commands: Map<string, CommandRule>,
  wishes: Readonly<Record<string, CommandWish>>,
  path: readonly string[],
  report: Report,
): void {
  for (const [name, wish] of Object.entries(wishes)) {
    const names = [...path, name];
    const base = commands.get(name);
    const at: At = [
      'commands',
      ...names.flatMap((each, index) => (index === 0 ? [each] : ['sub', each])),
    ];
    if (base !== undefined) commands.set(name, tightenCommand(base, wish, names, report));
    else if (wish.verdict === 'deny' && wish.sub === undefined)
      commands.set(name, toDenied(names, wish));
    else report(at, "it is not a command in the operator's policy", 'verdict: deny');
  }
}

/** A demand on a command applies to all its subcommands. */
function tightenCommand(
  base: CommandRule,
  wish: CommandWish,
  names: readonly string[],
  report: Report,
): CommandRule {
  const raised = raise(base, wish, names);
  const sub = new Map(raised.sub);
  tightenCommands(sub, wish.sub ?? {}, names, report);
  return { ...raised, sub };
}

function raise(rule: CommandRule, wish: CommandWish, names: readonly string[]): CommandRule {
  const verdict = stricter(rule.verdict, wish.verdict);
  const sub = new Map(
    [...rule.sub].map(([name, child]) => [
      name,
      raise(child, { ...wish, match: [], not_match: [] }, [...names, name]),
    ]),
  );
  // If both ask, the question is the workspace's: a grant of the operator's cannot answer it.
  const own = verdict !== rule.verdict || (verdict === 'ask' && wish.verdict === 'ask');
  if (!own) return { ...rule, sub };
  const { reason: _, ...rest } = rule;
  return { ...rest, ...toRaised(names, wish), verdict, sub };
}

const toRaised = (
  names: readonly string[],
  { reason, match = [], not_match = [] }: CommandWish,
) => ({
  id: `workspace.commands.${names.join('.')}`,
  match,
  notMatch: not_match,
  reason: reason ?? 'the workspace asks for it (.agent/policies)',
});

const toDenied = (names: readonly string[], wish: CommandWish): CommandRule => ({
  ...toRaised(names, wish),
  verdict: 'deny',
  effect: 'workspace',
  style: 'gnu',
  options: new Map(),
  asking: new Set(),
  stop: false,
  operands: toOperands(''),
  otherwise: [],
  alone: false,
  lenient: false,
  fixed: [],
  last: [],
  sub: new Map(),
});

/** Allows nothing; used when a workspace's own files are invalid. */
export const denyEverything = (policy: Policy, reason: string): Policy => ({
  ...policy,
  tools: [
    {
      id: 'workspace.policies',
      verdict: 'deny',
      reason,
      match: [],
      notMatch: [],
      glob: toGlob('*'),
    },
  ],
});
