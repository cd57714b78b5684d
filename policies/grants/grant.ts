import type { Action } from '../action.ts';

/** The action a grant is about, whole. `cwd` and `path` are relative to the workspace root, `.` for the root itself. */
export type Granted =
  /** One command without a shell: these words in this folder, with nothing fed to it and no variable set for it. */
  | { readonly kind: 'command'; readonly argv: readonly string[]; readonly cwd: string }
  /** The text of a whole command line. */
  | { readonly kind: 'text'; readonly text: string; readonly cwd: string }
  /** A file tool on one path, with any content. */
  | { readonly kind: 'file'; readonly path: string }
  /** Any other tool with exactly these arguments. */
  | { readonly kind: 'call'; readonly args: Action['args'] };

/** A grant before it has a name. */
export interface ProposedGrant {
  /** Absolute real path. */
  readonly workspace: string;
  readonly tool: string;
  readonly granted: Granted;
  /** Ids of the rules whose `ask` it lifts. */
  readonly lifts: readonly string[];
  /** Examples: what it allows, and what it leaves as it is. */
  readonly match: readonly string[];
  readonly notMatch: readonly string[];
}

export interface Grant extends ProposedGrant {
  /** `always-1`; the rule of the decisions it takes. */
  readonly id: string;
  readonly by: string;
  /** RFC 3339. */
  readonly time: string;
}
