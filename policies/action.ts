/** The verdict on an action. `ask`: nothing runs until a person has answered. */
export type Verdict = 'allow' | 'ask' | 'deny';

/**
 * What an action can change, hence what a crash midway may leave behind. `pure` only reads; `workspace` changes files
 * in the workspace; `idempotent` reaches outside it and may be repeated; `external` reaches outside it and may not.
 */
export type Effect = 'pure' | 'workspace' | 'idempotent' | 'external';

/** One tool call as the model wrote it. Treat every value in `args` as hostile. */
export interface ToolCall {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Absolute path of the workspace root, for making absolute paths relative. */
  readonly workspace: string;
}

/** What a call would do, by the section of the policy that judges it. Each tool says it of its calls. */
export type Access =
  | CommandAccess
  | FileAccess
  /** Only the tool's own rule applies. */
  | { readonly section: 'tools'; readonly effect: Effect }
  /** It stays within the run. */
  | { readonly section: 'none' };

/** A command line: text, or a list of words. */
export interface CommandAccess {
  readonly section: 'commands';
  readonly command?: string | undefined;
  readonly argv?: readonly string[] | undefined;
  readonly cwd?: string | undefined;
}

/** One path, as written. */
export interface FileAccess {
  readonly section: 'paths';
  /** `edit` reads and writes. */
  readonly op: 'read' | 'list' | 'write' | 'edit' | 'delete';
  readonly path: string;
  /** What is written. */
  readonly content?: string;
}

/** A call no policy can judge. `problem` is the end of a sentence. */
export type Unfit =
  | { readonly section: 'form'; readonly effect: Effect; readonly problem: string }
  | { readonly section: 'unknown' };

/** A tool call and what it would do. */
export interface Action extends ToolCall {
  readonly access: Access | Unfit;
}

export interface Decision {
  readonly verdict: Verdict;
  /** Stable id of the rule that won, such as `commands.git.push` or `paths.write.deny[2]`. */
  readonly rule: string;
  /** One sentence for the model and the person: why, and what to do instead. */
  readonly reason: string;
  readonly effect: Effect;
  /** Denied because no list has it, not because a rule forbids it. */
  readonly unlisted?: true;
  /** All rules that ask, if several do; `rule` is the first. */
  readonly asks?: readonly string[];
}

/** Limits of one run. Counts are whole numbers; `minutes` is working time, not waiting. */
export interface Limits {
  readonly steps: number;
  readonly toolCalls: number;
  readonly tokens: number;
  readonly minutes: number;
  /** Total bytes the run's tools may return. */
  readonly outputBytes?: number;
  /** US dollars, for models that have a price. */
  readonly usd?: number;
  /** Model replies, in any role. */
  readonly modelCalls?: number;
  /** Per tool; a bare number limits calls. */
  readonly perTool?: Readonly<Record<string, number | ToolLimits>>;
}

/** Limits of one tool in one run. */
export interface ToolLimits {
  readonly calls?: number;
  readonly minutes?: number;
  readonly outputBytes?: number;
}

/** A limit and how much of it is used. */
export interface Budget {
  /** The key under `budgets` in tools.yaml: `tool_calls`, `per_tool.search.calls`. */
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

/**
 * US dollars per million tokens, by model; a trailing `*` matches any suffix. `cached` prices input served from the
 * server's cache and defaults to the input price.
 */
export type Prices = Readonly<
  Record<
    string,
    { readonly input: number; readonly output: number; readonly cached?: number | undefined }
  >
>;
