/** What a snapshot covers of a folder, by name and size. */
import type { BytePath } from './byte-path.ts';

/** What a scan skips. */
export interface Coverage {
  /** git exclude patterns, as in gitignore(5). */
  readonly patterns: readonly string[];
  /** The same for folders, decided here. */
  readonly isExcluded: (path: BytePath) => boolean;
  /** Larger ignored files (in bytes) are covered only within the allowance. */
  readonly maxIgnoredBytes: number;
}

/** Remaining budget for copying large ignored files, such as build output and data. */
export interface Allowance {
  bytes: number;
}

/** For one run in one workspace. */
export const createAllowance = (): Allowance => ({ bytes: 256 * 1024 * 1024 });

/** Larger ignored files are never copied. */
export const maxAllowedBytes = 64 * 1024 * 1024;

/** Package folders that can be fetched again and tool caches: too large to copy, and not the run's work. */
export const dependencyFolders: readonly string[] = `
  node_modules bower_components .venv venv __pycache__ .tox .nox .mypy_cache .pytest_cache
  .ruff_cache .gradle .terraform .turbo .parcel-cache .pnpm-store
`
  .trim()
  .split(/\s+/);

const lastName = (path: BytePath): string => path.slice(path.lastIndexOf('/') + 1);

export const workspaceCoverage: Coverage = {
  // Folders are skipped by name below, because git would not report that they exist.
  patterns: [],
  isExcluded: (path) => dependencyFolders.includes(lastName(path)),
  maxIgnoredBytes: 1024 * 1024,
};

/** Everything in a git folder but the objects: they are only ever added, and refs decide which matter. */
export const gitFolderCoverage: Coverage = {
  patterns: ['/objects/', '/lfs/', '/annex/', '/modules/**/objects/', '/worktrees/**/objects/'],
  isExcluded: (path) =>
    ['objects', 'lfs', 'annex'].includes(path) || /^(?:modules|worktrees)\/.*\/objects$/.test(path),
  maxIgnoredBytes: Number.MAX_SAFE_INTEGER,
};

/** Larger files are never copied. */
export const maxBytes = 512 * 1024 * 1024;
