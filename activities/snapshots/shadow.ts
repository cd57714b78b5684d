import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Git, View } from './git.ts';
import type { Objects } from './objects.ts';
import { toText } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import type { Look } from './modes.ts';
import type { Allowance } from './coverage.ts';
import type { IndexContent, Scan } from './scan.ts';

/** Results of a repository's last scans, to speed up the next. */
export interface Memory {
  files?: { fingerprint?: string; scan: Scan; look: Look };
  git?: { fingerprint?: string; tree: string; held: IndexContent };
}

/** A workspace and the location of its snapshots. */
export interface Shadow {
  readonly repository: string;
  /** Prefix of this workspace's index names; copies share a repository. */
  readonly prefix: string;
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** The workspace this one is a copy of. */
  readonly origin?: string;
  readonly git: Git;
  readonly objects: Objects;
  readonly allowance: Allowance;
  /** Permanently stores a snapshot of what is about to be overwritten. */
  readonly keepAside: (tree: string) => Promise<void>;
  /** By repository path, '' for the workspace itself. */
  readonly memories: Map<BytePath, Memory>;
}

export const toView = (
  { repository, workspace, prefix }: Shadow,
  path: BytePath,
  part: 'files' | 'git',
): View => {
  const name = createHash('sha1').update(path, 'latin1').digest('hex').slice(0, 12);
  const folder = path === '' ? workspace : join(workspace, toText(path));
  return {
    repository,
    index: `${prefix}-${path === '' ? 'root' : name}-${part}`,
    folder: part === 'files' ? folder : join(folder, '.git'),
  };
};
