import type { ToolCall } from '../action.ts';

/** The complete action a grant covers. `cwd` and `path` are relative to the workspace root, `.` for the root. */
export type Granted =
  /** One command without a shell: these words in this folder, no input, no variables. */
  | { readonly kind: 'command'; readonly argv: readonly string[]; readonly cwd: string }
  /** A whole command line as text. */
  | { readonly kind: 'text'; readonly text: string; readonly cwd: string }
  /** A file tool on one path, any content. */
  | { readonly kind: 'file'; readonly path: string }
  /** Any other tool with exactly these arguments. */
  | { readonly kind: 'call'; readonly args: ToolCall['args'] };

/** A grant without an id. */
export interface ProposedGrant {
  /** Absolute real path. */
  readonly workspace: string;
  readonly tool: string;
  readonly granted: Granted;
  /** Rules whose `ask` it lifts. */
  readonly lifts: readonly string[];
  /** Examples of what it allows and what it leaves alone. */
  readonly match: readonly string[];
  readonly notMatch: readonly string[];
}

export interface Grant extends ProposedGrant {
  /** `always-1`; shown as the rule of the decisions it makes. */
  readonly id: string;
  readonly by: string;
  /** RFC 3339. */
  readonly time: string;
}
