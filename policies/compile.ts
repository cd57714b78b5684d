import type { Effect, Verdict } from './action.ts';
import { toGlob } from './paths/glob.ts';
import { toHostPattern } from './network/hosts.ts';
import { usualLimits } from './limits.ts';
import type { SandboxLimits } from './limits.ts';
import { splitList, toOperands, toOptions } from './commands/arg-spec.ts';
import type { Option } from './commands/arg-spec.ts';
import type { CommandFile, NetworkFile, PathsFile, ToolsFile } from './schema.ts';
import type { CommandRule, HostRule, PathRule, Policy, Rule, ToolRule } from './policy.ts';
import type { At, Report } from './yaml.ts';

interface Examples {
  readonly reason?: string | undefined;
  readonly match?: string[] | undefined;
  readonly not_match?: string[] | undefined;
}
type Lists<T> = { readonly [verdict in Verdict]?: T[] | undefined };

// Judged in this order, so that deny beats allow.
const order: readonly Verdict[] = ['deny', 'ask', 'allow'];

const toRule = (id: string, verdict: Verdict, { reason, match, not_match }: Examples) => ({
  id,
  verdict,
  reason,
  match: match ?? [],
  notMatch: not_match ?? [],
});

function toRules<T, R>(lists: Lists<T>, prefix: string, make: (entry: T, rule: Rule) => R): R[] {
  return order.flatMap((verdict) =>
    (lists[verdict] ?? []).map((entry, index) => {
      const examples = typeof entry === 'object' && entry !== null ? entry : {};
      return make(entry, toRule(`${prefix}.${verdict}[${index}]`, verdict, examples));
    }),
  );
}

/** `prefix` starts the rule ids: `paths.read`. */
export const toPathRules = (lists: NonNullable<PathsFile['read']>, prefix: string): PathRule[] =>
  toRules(lists, prefix, (entry, rule) => {
    const path = typeof entry === 'string' ? entry : entry.path;
    const texts = typeof path === 'string' ? [path] : path;
    // A deny covers every spelling of a name; an allow covers just this one.
    const folded = rule.verdict !== 'allow';
    return { ...rule, globs: texts.map((text) => toGlob(text, { folded })) };
  });

export function compilePaths(file: PathsFile): Policy['paths'] {
  return {
    read: toPathRules(file.read ?? {}, 'paths.read'),
    write: toPathRules(file.write ?? {}, 'paths.write'),
    delete: toPathRules(file.delete ?? {}, 'paths.delete'),
    readBytes: file.limits?.read_bytes ?? 1_048_576,
    writeBytes: file.limits?.write_bytes ?? 1_048_576,
  };
}

export const toHostRules = (file: Omit<NetworkFile, 'version'>, prefix: string): HostRule[] =>
  toRules(file, prefix, (entry, rule) => {
    if (typeof entry === 'string') return { ...rule, hosts: [toHostPattern(entry)] };
    const { host, ports, methods } = entry;
    const pattern = toHostPattern(host);
    const hosts = [ports === undefined ? pattern : { ...pattern, ports }];
    return { ...rule, hosts, methods };
  });

/** Whole words: `npm ci` also covers `npm ci --silent`, nothing else. */
export const compileNetworkCommands = ({ commands }: NetworkFile): string[][] =>
  (commands ?? []).map((text) => text.split(' '));

export const toToolRules = (lists: ToolsFile['tools'], prefix: string): ToolRule[] =>
  toRules(lists, prefix, (entry, rule) => ({
    ...rule,
    glob: toGlob(typeof entry === 'string' ? entry : entry.tool),
  }));

export function compileCommands(file: ToolsFile, report: Report): Map<string, CommandRule> {
  const commands = new Map<string, CommandRule>();
  for (const [name, entry] of Object.entries(file.commands ?? {})) {
    const at = ['commands', name];
    if (!/^[A-Za-z0-9_[][A-Za-z0-9._+-]*$/.test(name)) {
      report(at, `"${name}" is not the name of a command`, 'a bare name, without folder');
    }
    if (entry.effect === undefined && entry.verdict !== 'deny') {
      report(
        at,
        `"${name}" does not say what it changes`,
        'effect: pure, workspace, idempotent or external',
      );
    }
    commands.set(name, toCommand(entry, `commands.${name}`, at, 'workspace', report));
  }
  return commands;
}

/** A subcommand inherits its command's effect unless it sets its own. */
function toCommand(
  entry: CommandFile,
  id: string,
  at: At,
  inherited: Effect,
  report: Report,
): CommandRule {
  const effect = entry.effect ?? inherited;
  const options = new Map<string, Option>();
  for (const spec of splitList(entry.options ?? '')) {
    for (const option of toOptions(spec)) {
      if (options.has(option.name)) {
        report([...at, 'options'], `${option.name} is listed twice`, 'one entry');
      }
      options.set(option.name, option);
    }
  }
  const listed = (names: readonly string[], place: At): Set<string> => {
    for (const name of names) {
      if (!options.has(name)) {
        report(
          [...at, ...place],
          `${name} is not among the options`,
          'the name of a listed option',
        );
      }
    }
    return new Set(names);
  };
  const sub = new Map<string, CommandRule>();
  for (const [name, child] of Object.entries(entry.sub ?? {})) {
    sub.set(name, toCommand(child, `${id}.${name}`, [...at, 'sub', name], effect, report));
  }
  if (sub.size > 0 && entry.operands !== undefined) {
    report([...at, 'operands'], 'operands beside subcommands', 'one of the two');
  }
  const otherwise = [entry.otherwise ?? []]
    .flat()
    .map(({ given, and, operands }) => ({
      given: listed(given, ['otherwise', 'given']),
      and: and === undefined ? undefined : listed(and, ['otherwise', 'and']),
      operands: toOperands(operands),
    }));
  return {
    ...toRule(id, entry.verdict ?? 'allow', entry),
    effect,
    style: entry.style ?? 'gnu',
    options,
    asking: listed(splitList(entry.ask_options ?? ''), ['ask_options']),
    stop: entry.stop ?? false,
    operands: toOperands(entry.operands ?? ''),
    otherwise,
    alone: entry.alone ?? false,
    lenient: entry.lenient ?? false,
    fixed: entry.fixed ?? [],
    last: entry.last ?? [],
    sub,
  };
}

export const compileShell = ({ shell }: ToolsFile): Policy['shell'] => ({
  verdict: shell?.verdict ?? 'deny',
  unlisted: shell?.unlisted ?? 'deny',
  builtins: new Set(shell?.builtins ?? []),
  variables: toVariables(shell?.variables),
  tightened: new Set(),
});

export const compileUntrusted = ({ untrusted }: ToolsFile): Policy['untrusted'] => ({
  seen: untrusted?.seen ?? 'outside',
  askFor: untrusted?.ask_for ?? 'reaching',
});

const toGlobs = (texts: readonly string[] = []) => texts.map((text) => toGlob(text));

export function toVariables(lists: Lists<string> = {}): Policy['shell']['variables'] {
  return { allow: toGlobs(lists.allow), ask: toGlobs(lists.ask), deny: toGlobs(lists.deny) };
}

export const compileWorkspace = ({ workspace }: ToolsFile): Policy['workspace'] => ({
  drift: workspace?.drift ?? 'adopt',
  parallelSteps: Math.max(workspace?.parallel_steps ?? 1, 1),
  promote: workspace?.promote ?? 'manual',
});

export const compileSandbox = ({ sandbox }: ToolsFile): SandboxLimits => ({
  memoryBytes: sandbox?.memory_bytes ?? usualLimits.memoryBytes,
  processes: sandbox?.processes ?? usualLimits.processes,
  cpuSeconds: sandbox?.cpu_seconds ?? usualLimits.cpuSeconds,
  fileBytes: sandbox?.file_bytes ?? usualLimits.fileBytes,
  openFiles: sandbox?.open_files ?? usualLimits.openFiles,
  tmpBytes: sandbox?.tmp_bytes ?? usualLimits.tmpBytes,
  growthBytes: sandbox?.growth_bytes ?? usualLimits.growthBytes,
});
