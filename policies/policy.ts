/** The compiled policy: built by `parsePolicy`, read by everything that judges. */
import type { Effect, Prices, ToolLimits, Verdict } from './action.ts';
import type { Operands, Option } from './commands/arg-spec.ts';
import type { Grant } from './grants/grant.ts';
import type { SandboxLimits } from './limits.ts';
import type { HostPattern } from './network/hosts.ts';
import type { Glob } from './paths/glob.ts';

/** Common to all rules. `id` is stable: `paths.write.deny[2]`, `commands.git.push`. */
export interface Rule {
  readonly id: string;
  readonly verdict: Verdict;
  readonly reason?: string;
  /** Examples for `policies test`: those the rule must decide, and those it must not. */
  readonly match: readonly string[];
  readonly notMatch: readonly string[];
}

export interface PathRule extends Rule {
  readonly globs: readonly Glob[];
}

export interface HostRule extends Rule {
  readonly hosts: readonly HostPattern[];
  /** Upper case. Absent: any method. */
  readonly methods?: readonly string[];
}

/** `glob` matches the tool name as one segment: `mcp__docs__get*`. */
export interface ToolRule extends Rule {
  readonly glob: Glob;
}

/** What a command or subcommand accepts. Anything not listed is refused. */
export interface CommandRule extends Rule {
  readonly effect: Effect;
  /** `words`: long options take one dash and do not cluster (find, node). */
  readonly style: 'gnu' | 'words';
  readonly options: ReadonlyMap<string, Option>;
  /** Options that raise the verdict to `ask`. */
  readonly asking: ReadonlySet<string>;
  /** Everything after the first operand is an operand too. */
  readonly stop: boolean;
  readonly operands: Operands;
  /** Other operands, if one of `given` and one of `and` is present: `rg -e pattern path…`. The first match counts. */
  readonly otherwise: readonly Otherwise[];
  /** May be used without a subcommand. */
  readonly alone: boolean;
  /** A word that looks like an unknown option is an operand: `echo ---`. */
  readonly lenient: boolean;
  /** Arguments inserted before the model's, right after the command or subcommand name. */
  readonly fixed: readonly string[];
  /** Arguments inserted after the model's options, for programs where the last one wins. */
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
  /** Bytes kept of one tool call's output. */
  readonly outputBytes: number;
  /** Total bytes all calls of a run may return. */
  readonly runOutputBytes: number;
  /** Model cost of a run in US dollars; absent: no limit. */
  readonly usd?: number;
  /** Model replies; absent: no limit. */
  readonly modelCalls?: number;
  /** Per-tool limits of a run. */
  readonly perTool: ReadonlyMap<string, ToolLimits>;
}

export interface WorkspaceRules {
  /** If a person changed files between two steps: keep the changes, revert them, or ask. */
  readonly drift: 'adopt' | 'restore' | 'ask';
  /** Independent steps that may run at once; 1 or more. */
  readonly parallelSteps: number;
  /** A staged run's change is applied by a person, or automatically at the end if all hooks passed. */
  readonly promote: 'manual' | 'auto';
}

/** When the model has read untrusted text, which allowed actions need approval. */
export interface UntrustedRules {
  /** What counts: text that tries to give orders, or any text from outside. */
  readonly seen: (typeof seenOrder)[number];
  /** Nothing; what reaches beyond the workspace or needs a shell; anything that changes something. */
  readonly askFor: (typeof askForOrder)[number];
}

/** Mildest first. */
export const seenOrder = ['suspicious', 'outside', 'any'] as const;
export const askForOrder = ['nothing', 'reaching', 'changes'] as const;

/** One command, judged and run like `run_command`. */
export interface Hook {
  readonly name: string;
  /** `run_command` arguments. */
  readonly command: { readonly command: string } | { readonly argv: readonly string[] };
  /** After each step, or once before the final review. */
  readonly when: 'after-step' | 'at-end';
  readonly timeoutSeconds: number;
  /** If it fails at the end, the run cannot finish. */
  readonly required: boolean;
}

/** A checked and compiled policy; immutable. */
export interface Policy {
  readonly tools: readonly ToolRule[];
  readonly commands: ReadonlyMap<string, CommandRule>;
  readonly shell: {
    /** For text only a shell can run. */
    readonly verdict: Verdict;
    /** For commands, options and words that are in no list. */
    readonly unlisted: Verdict;
    readonly builtins: ReadonlySet<string>;
    /** Variable names; deny beats ask beats allow, and unlisted names are refused. */
    readonly variables: Readonly<Record<Verdict, readonly Glob[]>>;
    /** Which of the two verdicts the workspace tightened. */
    readonly tightened: ReadonlySet<'verdict' | 'unlisted'>;
  };
  readonly budgets: Budgets;
  readonly prices: Prices;
  readonly workspace: WorkspaceRules;
  readonly sandbox: SandboxLimits;
  readonly untrusted: UntrustedRules;
  /** Commands that must pass in every run, in order. */
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
  /** First words of commands that get the network, such as `npm ci`; only to the hosts in `network`. */
  readonly networkCommands: readonly (readonly string[])[];
  /** What a person chose to allow always. */
  readonly grants: readonly Grant[];
}
