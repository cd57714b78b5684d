import { join } from 'node:path';

/** Paths in the state folder, which is private (0700). */
export interface StateFolders {
  readonly root: string;
  /** One `<yyyy-mm-dd>.jsonl` a day: tool calls, decisions, approvals. */
  readonly audit: string;
  /** Content-addressed store: `sha256/ab/cdef…`. */
  readonly blobs: string;
  readonly logs: string;
  /** Streamed text of running model calls, for live views. Not part of the record. */
  readonly spool: string;
  /** One file, named by workflow id, per run whose mirror should start at once. */
  readonly mirror: string;
  /** Who may change which workspace, and what workers are doing. */
  readonly leases: string;
  /** Snapshots: one git repository per workspace. */
  readonly snapshots: string;
  /** Copies of workspaces for steps that run at once. */
  readonly copies: string;
  /** Copies that staged runs work in, one folder per run. */
  readonly staged: string;
  /** Which of the operator's orders were used, and by what. */
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
