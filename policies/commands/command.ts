/** A parsed command line. Plain words run exactly as judged, without a shell in between. */
export type CommandLine =
  | { readonly kind: 'plain'; readonly pipelines: readonly Pipeline[] }
  /** Text that cannot be reduced to plain words; only `bash` in the sandbox can run it. */
  | { readonly kind: 'shell'; readonly text: string; readonly why: string; readonly cwd: string };

export interface Pipeline {
  /** When it runs: unconditionally first, after success, after failure, or always. */
  readonly when: 'first' | 'and' | 'or' | 'then';
  /** Relative to the workspace root, with every `cd` folded in; `.` for the root. */
  readonly cwd: string;
  /** Left to right, stdout to stdin. At least one. */
  readonly commands: readonly SimpleCommand[];
}

export interface SimpleCommand {
  readonly argv: readonly string[];
  /** `NAME=value` prefixes, in the order written. */
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
