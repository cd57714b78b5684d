import { z } from 'zod';
import type { Effect, Prices, ToolLimits, Verdict } from './action.ts';
import { GlobError, toGlob } from './paths/glob.ts';
import type { Glob } from './paths/glob.ts';
import { toHostPattern } from './network/hosts.ts';
import { hooksSchema } from './hooks.ts';
import type { Hook } from './hooks.ts';
import type { HostPattern } from './network/hosts.ts';
import type { Grant } from './grants/grants.ts';
import type { SandboxLimits } from './limits.ts';
import { splitList, toOperands, toOptions } from './commands/notation.ts';
import type { Operands, Option } from './commands/notation.ts';

/** What every rule has. `id` is stable: `paths.write.deny[2]`, `commands.git.push`. */
export interface Rule {
  readonly id: string;
  readonly verdict: Verdict;
  readonly reason?: string;
  /** Examples run by `policies test`: those the rule must decide, and those it must not. */
  readonly match: readonly string[];
  readonly notMatch: readonly string[];
}

export interface PathRule extends Rule {
  readonly globs: readonly Glob[];
}

export interface HostRule extends Rule {
  readonly hosts: readonly HostPattern[];
  /** Upper case. Absent: any. */
  readonly methods?: readonly string[];
}

/** `glob` matches the tool's name as one segment: `mcp__docs__get*`. */
export interface ToolRule extends Rule {
  readonly glob: Glob;
}

/** What a command, or a subcommand of one, may be given. Whatever is not listed is refused. */
export interface CommandRule extends Rule {
  readonly effect: Effect;
  /** `words`: one dash may start a long option and there are no clusters (find, node). */
  readonly style: 'gnu' | 'words';
  readonly options: ReadonlyMap<string, Option>;
  /** Options that raise the verdict to `ask`. */
  readonly asking: ReadonlySet<string>;
  /** Whatever follows the first operand is an operand too. */
  readonly stop: boolean;
  readonly operands: Operands;
  /** Operands when one of `given`, and one of `and`, is present: `rg -e pattern path…`. The first that fits counts. */
  readonly otherwise: readonly Otherwise[];
  /** It may stand without any of its subcommands. */
  readonly alone: boolean;
  /** A word that looks like an option and is none is an operand: `echo ---`. */
  readonly lenient: boolean;
  /** Arguments put in before the model's, after the command's or subcommand's name. */
  readonly fixed: readonly string[];
  /** Arguments put in after the model's options, where the last one counts. */
  readonly last: readonly string[];
  readonly sub: ReadonlyMap<string, CommandRule>;
}

interface Otherwise {
  readonly given: ReadonlySet<string>;
  readonly and?: ReadonlySet<string>;
  readonly operands: Operands;
}

interface Budgets {
  readonly steps: number;
  readonly toolCalls: number;
  readonly tokens: number;
  readonly minutes: number;
  /** Bytes kept of the output of one tool call. */
  readonly outputBytes: number;
  /** Bytes that all calls of a run may return together. */
  readonly runOutputBytes: number;
  /** US dollars that the models of a run may cost; no limit if absent. */
  readonly usd?: number;
  /** Answers of models; no limit if absent. */
  readonly modelCalls?: number;
  /** What a run may use of single tools. */
  readonly perTool: ReadonlyMap<string, ToolLimits>;
}

/** A bundle as judged from: checked, compiled, never changed. */
export interface WorkspaceRules {
  /** When a person changed files between two steps: go on with them, take them back, or ask. */
  readonly drift: 'adopt' | 'restore' | 'ask';
  /** Independent steps of a plan that may run at once; 1 or more. */
  readonly parallelSteps: number;
  /** Whether the change of a staged run is brought over by a person, or at the run's end when all hooks are green. */
  readonly promote: 'manual' | 'auto';
}

/** When a person is asked about what is allowed, because of what the model has read. */
export interface UntrustedRules {
  /** What it must have read: text that tries to give orders, or any text from elsewhere. */
  readonly seen: (typeof seenOrder)[number];
  /** Nothing; what reaches beyond the workspace, or only a shell can run; whatever changes something. */
  readonly askFor: (typeof askForOrder)[number];
}

/** Milder first. */
export const seenOrder = ['suspicious', 'outside', 'any'] as const;
export const askForOrder = ['nothing', 'reaching', 'changes'] as const;

export interface Policy {
  readonly tools: readonly ToolRule[];
  readonly commands: ReadonlyMap<string, CommandRule>;
  readonly shell: {
    /** Of text only a shell can run. */
    readonly verdict: Verdict;
    /** Of commands, options and words that no list has. */
    readonly unlisted: Verdict;
    readonly builtins: ReadonlySet<string>;
    /** Names of variables; deny beats ask beats allow, what is in none is refused. */
    readonly variables: Readonly<Record<Verdict, readonly Glob[]>>;
    /** Which of the two verdicts the workspace asks for itself. */
    readonly tightened: ReadonlySet<'verdict' | 'unlisted'>;
  };
  readonly budgets: Budgets;
  readonly prices: Prices;
  readonly workspace: WorkspaceRules;
  readonly sandbox: SandboxLimits;
  readonly untrusted: UntrustedRules;
  /** Commands every run must leave green, in the order run. */
  readonly hooks: readonly Hook[];
  /** In the order judged: deny, ask, allow. */
  readonly paths: {
    readonly read: readonly PathRule[];
    readonly write: readonly PathRule[];
    readonly delete: readonly PathRule[];
    readonly readBytes: number;
    readonly writeBytes: number;
  };
  readonly network: readonly HostRule[];
  /** First words of the commands that get the network, such as `npm ci`; each only to the hosts of `network`. */
  readonly networkCommands: readonly (readonly string[])[];
  /** What a person said to allow always. */
  readonly grants: readonly Grant[];
}

const line = z.string().min(1).max(500);

/** Text in one of our notations; the check is here so that it is reported together with every other fault. */
const written = (expected: string, read: (text: string) => unknown) =>
  z
    .string()
    .min(1)
    .max(5000)
    .superRefine((text, context) => {
      try {
        read(text);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const quotes = !(error instanceof GlobError);
        context.addIssue({ code: 'custom', message, params: { expected, quotes } });
      }
    });
const pathPattern = written('a path pattern such as "src/**" or "**/*.key"', toGlob);
const toolPattern = written('the name of a tool, with * and ? as wildcards', (text) => {
  if (!/^[A-Za-z0-9_.*?-]{1,128}$/.test(text)) throw new Error(`"${text}" names no tool`);
});
const hostPattern = written('a host, host:port or *.domain, without scheme or path', toHostPattern);
const options = written(
  '"-s|--short", "-n number", "--format=text" or "--color[=text]", with commas',
  (text) => splitList(text).map(toOptions),
);
const operands = written('types of words such as "pattern path*"', toOperands);
const variable = written('the name of a variable, with * as wildcard', toGlob);
const examples = {
  match: z.array(z.string()).optional(),
  not_match: z.array(z.string()).optional(),
};
const verdict = z.enum(['allow', 'ask', 'deny']);
const count = z.number().int().min(0);
const version = z.literal(1);
const atLeastOne = z.number().int().min(1);

/** A rule is its pattern alone, or a mapping with the pattern under `key`. */
const lists = <T extends z.ZodType>(rule: T) => ({
  deny: z.array(rule).optional(),
  ask: z.array(rule).optional(),
  allow: z.array(rule).optional(),
});

const toolRule = z.union([
  toolPattern,
  z.strictObject({ tool: toolPattern, reason: line.optional(), ...examples }),
]);
const pathRule = z.union([
  pathPattern,
  z.strictObject({
    path: z.union([pathPattern, z.array(pathPattern).min(1)]),
    reason: line.optional(),
    ...examples,
  }),
]);
const hostRule = z.union([
  hostPattern,
  z.strictObject({
    host: hostPattern,
    ports: z.array(z.number().int().min(1).max(65535)).min(1).optional(),
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
      .min(1)
      .optional(),
    reason: line.optional(),
    ...examples,
  }),
]);

interface OtherwiseFile {
  readonly given: string[];
  readonly and?: string[] | undefined;
  readonly operands: string;
}

/** A command or subcommand as tools.yaml writes it. */
export interface CommandFile {
  readonly verdict?: Verdict | undefined;
  readonly reason?: string | undefined;
  readonly effect?: Effect | undefined;
  readonly style?: 'gnu' | 'words' | undefined;
  readonly options?: string | undefined;
  readonly ask_options?: string | undefined;
  readonly stop?: boolean | undefined;
  readonly operands?: string | undefined;
  readonly otherwise?: OtherwiseFile | readonly OtherwiseFile[] | undefined;
  readonly alone?: boolean | undefined;
  readonly lenient?: boolean | undefined;
  readonly fixed?: string[] | undefined;
  readonly last?: string[] | undefined;
  readonly sub?: Record<string, CommandFile> | undefined;
  readonly match?: string[] | undefined;
  readonly not_match?: string[] | undefined;
}

const otherwise = z.strictObject({
  given: z.array(line).min(1),
  and: z.array(line).min(1).optional(),
  operands,
});

const commandRule: z.ZodType<CommandFile> = z.strictObject({
  verdict: verdict.optional(),
  reason: line.optional(),
  effect: z.enum(['pure', 'workspace', 'idempotent', 'external']).optional(),
  style: z.enum(['gnu', 'words']).optional(),
  options: options.optional(),
  ask_options: line.optional(),
  stop: z.boolean().optional(),
  operands: operands.optional(),
  otherwise: z.union([otherwise, z.array(otherwise).min(1)]).optional(),
  alone: z.boolean().optional(),
  lenient: z.boolean().optional(),
  fixed: z.array(line).optional(),
  last: z.array(line).optional(),
  sub: z.lazy(() => z.record(z.string(), commandRule)).optional(),
  ...examples,
});

const toolLimits = z.strictObject({
  calls: count.optional(),
  minutes: z.number().min(0).optional(),
  output_bytes: count.optional(),
});

const price = z.number().min(0).max(10_000);

export const toolsSchema = z.strictObject({
  version,
  tools: z.strictObject(lists(toolRule)),
  commands: z.record(z.string(), commandRule).optional(),
  shell: z
    .strictObject({
      verdict,
      unlisted: verdict.optional(),
      builtins: z.array(line).optional(),
      variables: z.strictObject(lists(variable)).optional(),
    })
    .optional(),
  workspace: z
    .strictObject({
      drift: z.enum(['adopt', 'restore', 'ask']).optional(),
      parallel_steps: count.optional(),
      promote: z.enum(['manual', 'auto']).optional(),
    })
    .optional(),
  untrusted: z
    .strictObject({ seen: z.enum(seenOrder).optional(), ask_for: z.enum(askForOrder).optional() })
    .optional(),
  hooks: hooksSchema.optional(),
  sandbox: z
    .strictObject({
      memory_bytes: atLeastOne.optional(),
      processes: atLeastOne.optional(),
      cpu_seconds: atLeastOne.optional(),
      file_bytes: atLeastOne.optional(),
      open_files: atLeastOne.optional(),
      tmp_bytes: atLeastOne.optional(),
      growth_bytes: atLeastOne.optional(),
    })
    .optional(),
  budgets: z
    .strictObject({
      steps: count.optional(),
      tool_calls: count.optional(),
      tokens: count.optional(),
      minutes: z.number().min(0).optional(),
      output_bytes: count.optional(),
      run_output_bytes: count.optional(),
      usd: z.number().min(0).optional(),
      model_calls: count.optional(),
      per_tool: z.record(z.string(), z.union([count, toolLimits])).optional(),
    })
    .optional(),
  prices: z
    .record(line, z.strictObject({ input: price, output: price, cached: price.optional() }))
    .optional(),
});

export const pathsSchema = z.strictObject({
  version,
  read: z.strictObject(lists(pathRule)).optional(),
  write: z.strictObject(lists(pathRule)).optional(),
  delete: z.strictObject(lists(pathRule)).optional(),
  limits: z
    .strictObject({ read_bytes: count.optional(), write_bytes: count.optional() })
    .optional(),
});

const commandWords = written('the first words of a command, such as "npm ci"', (text) => {
  if (!/^[A-Za-z0-9_.+-]+(?: [A-Za-z0-9_.:+-]+)*$/.test(text))
    throw new Error(`"${text}" is not the beginning of a command`);
});

export const networkSchema = z.strictObject({
  version,
  commands: z.array(commandWords).optional(),
  ...lists(hostRule),
});

/** What a workspace may write in files of the same names: see tighten.ts. */
const wishes = <T extends z.ZodType>(rule: T) => {
  const { deny, ask } = lists(rule);
  return { deny, ask };
};

/** A command, or a subcommand, of which a workspace asks for a stricter verdict. */
export interface CommandWish {
  readonly verdict?: 'ask' | 'deny' | undefined;
  readonly reason?: string | undefined;
  readonly sub?: Record<string, CommandWish> | undefined;
  readonly match?: string[] | undefined;
  readonly not_match?: string[] | undefined;
}

const commandWish: z.ZodType<CommandWish> = z.strictObject({
  verdict: z.enum(['ask', 'deny']).optional(),
  reason: line.optional(),
  sub: z.lazy(() => z.record(z.string(), commandWish)).optional(),
  ...examples,
});

export const tightening = {
  tools: z.strictObject({
    version,
    tools: z.strictObject(wishes(toolRule)).optional(),
    commands: z.record(z.string(), commandWish).optional(),
    shell: z
      .strictObject({
        verdict: verdict.optional(),
        unlisted: verdict.optional(),
        variables: z.strictObject(wishes(variable)).optional(),
      })
      .optional(),
    budgets: toolsSchema.shape.budgets,
    untrusted: toolsSchema.shape.untrusted,
  }),
  paths: z.strictObject({
    version,
    read: z.strictObject(wishes(pathRule)).optional(),
    write: z.strictObject(wishes(pathRule)).optional(),
    delete: z.strictObject(wishes(pathRule)).optional(),
    limits: pathsSchema.shape.limits,
  }),
  network: z.strictObject({ version, ...wishes(hostRule) }),
};

export type ToolsFile = z.infer<typeof toolsSchema>;
export type PathsFile = z.infer<typeof pathsSchema>;
export type NetworkFile = z.infer<typeof networkSchema>;
