/** A compiled policy: what `parsePolicy` makes of the files and all judging reads. */
import type { Effect, Prices, ToolLimits, Verdict } from './action.ts';
import type { Operands, Option } from './commands/arg-spec.ts';
import type { Grant } from './grants/grant.ts';
import type { SandboxLimits } from './limits.ts';
import type { HostPattern } from './network/hosts.ts';
import type { Glob } from './paths/glob.ts';

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

/** One command, judged and run as `run_command` is. */
export interface Hook {
  readonly name: string;
  /** As `run_command` takes it. */
  readonly command: { readonly command: string } | { readonly argv: readonly string[] };
  /** After each step, or once before the whole work is reviewed. */
  readonly when: 'after-step' | 'at-end';
  readonly timeoutSeconds: number;
  /** Red at the end, it keeps the run from being done. */
  readonly required: boolean;
}

/** A bundle as judged from: checked, compiled, never changed. */
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
