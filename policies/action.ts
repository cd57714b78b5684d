/** The judgement on an action. `ask` means: nothing happens until a person has answered. */
export type Verdict = 'allow' | 'ask' | 'deny';

/**
 * What an action can change, and so what a crash in its middle may leave behind.
 * `pure` only reads; `workspace` changes files below the workspace; `idempotent` reaches beyond it and may be repeated;
 * `external` reaches beyond it and may not.
 */
export type Effect = 'pure' | 'workspace' | 'idempotent' | 'external';

/** One tool call as the model wrote it: every value in `args` is treated as an attacker's. */
export interface Action {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Absolute path of the workspace root, so that absolute paths inside it can be made relative. */
  readonly workspace: string;
}

export interface Decision {
  readonly verdict: Verdict;
  /** Stable id of the rule that won, such as `commands.git.push` or `paths.write.deny[2]`. */
  readonly rule: string;
  /** One sentence for the model and the person: why, and what to do instead. */
  readonly reason: string;
  readonly effect: Effect;
  /** Refused only because no list has it, not because a rule forbids it. */
  readonly unlisted?: true;
  /** Every rule that asks, where several do; `rule` is the first of them. */
  readonly asks?: readonly string[];
}

/** Ceilings of one run. Counts are whole numbers; `minutes` is time spent working, not waiting. */
export interface Limits {
  readonly steps: number;
  readonly toolCalls: number;
  readonly tokens: number;
  readonly minutes: number;
  /** Bytes that all tools of the run may return together. */
  readonly outputBytes?: number;
  /** US dollars, for the models that have a price. */
  readonly usd?: number;
  /** Answers of models, whatever their role. */
  readonly modelCalls?: number;
  /** Of single tools; a number alone limits calls. */
  readonly perTool?: Readonly<Record<string, number | ToolLimits>>;
}

/** Ceilings of one tool in one run. */
export interface ToolLimits {
  readonly calls?: number;
  readonly minutes?: number;
  readonly outputBytes?: number;
}

/** One limit beside what is used of it. */
export interface Meter {
  /** As `budgets` of tools.yaml has it, such as `tool_calls` or `per_tool.search.calls`. */
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

/**
 * US dollars for a million tokens, by model; `*` at the end of a name stands for any rest. Input that the server had in its
 * cache costs `cached`, or as much as the rest.
 */
export type Prices = Readonly<
  Record<
    string,
    { readonly input: number; readonly output: number; readonly cached?: number | undefined }
  >
>;
