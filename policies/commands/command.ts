/** A command line as plain words: what the policy judged is what runs, with no shell in between. */
export type CommandLine =
  | { readonly kind: 'plain'; readonly pipelines: readonly Pipeline[] }
  /** Text the parser does not reduce to plain words; only `bash` inside the sandbox can run it. */
  | { readonly kind: 'shell'; readonly text: string; readonly why: string; readonly cwd: string };

export interface Pipeline {
  /** When it runs: always first, after success, after failure, in any case. */
  readonly when: 'first' | 'and' | 'or' | 'then';
  /** Relative to the workspace root, `.` for the root itself: `cd` is folded into it. */
  readonly cwd: string;
  /** Left to right, standard output to standard input. At least one. */
  readonly commands: readonly SimpleCommand[];
}

export interface SimpleCommand {
  readonly argv: readonly string[];
  /** `NAME=value` in front of the command, in the order written; absent when there is none. */
  readonly variables?: readonly Variable[];
  /** In the order written. Paths are relative to the pipeline's `cwd`. */
  readonly redirects: readonly Redirect[];
}

export interface Variable {
  readonly name: string;
  readonly value: string;
}

export type Redirect =
  | { readonly kind: 'input'; readonly path: string }
  /** A here-document or here-string. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly fd: 1 | 2; readonly path: string; readonly append: boolean }
  /** `2>&1` or `1>&2`. */
  | { readonly kind: 'duplicate'; readonly from: 1 | 2; readonly to: 1 | 2 };
