import { join } from 'node:path';

/** Where things are in the state folder. The folder itself is private (0700). */
export interface StateFolders {
  readonly root: string;
  /** One `<yyyy-mm-dd>.jsonl` a day: tool calls, decisions, approvals. */
  readonly audit: string;
  /** Content-addressed store: `sha256/ab/cdef…`. */
  readonly blobs: string;
  readonly logs: string;
  /** Text of running model calls, for whoever watches. Not part of the record. */
  readonly spool: string;
  /** A file per run whose mirror should start at once, named by workflow id. */
  readonly mirror: string;
  /** Who may change which workspace, and what workers are at. */
  readonly leases: string;
  /** Snapshots: a git repository for each workspace. */
  readonly snapshots: string;
  /** Copies of workspaces, of steps that run at once. */
  readonly copies: string;
  /** Copies that staged runs work in, in a folder for each run. */
  readonly staged: string;
  /** Which orders of the operator were used, and by what. */
  readonly orders: string;
  readonly temporalDb: string;
  readonly stackFile: string;
  readonly tokenFile: string;
}

export const toStateFolders = (root: string): StateFolders => ({
  root,
  audit: join(root, 'audit'),
  blobs: join(root, 'blobs'),
  logs: join(root, 'logs'),
  spool: join(root, 'spool'),
  mirror: join(root, 'mirror'),
  leases: join(root, 'leases'),
  snapshots: join(root, 'snapshots'),
  copies: join(root, 'copies'),
  staged: join(root, 'staged'),
  orders: join(root, 'orders'),
  temporalDb: join(root, 'temporal.db'),
  stackFile: join(root, 'stack.json'),
  tokenFile: join(root, 'token'),
});

/** The mirror of one run's history. */
export const toRunLog = (root: string, run: string): string => join(root, `run-${run}.jsonl`);
