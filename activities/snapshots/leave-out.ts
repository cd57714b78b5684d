import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Git, View } from './git.ts';
import { splitNul } from './git.ts';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { sizeAt, statPath } from './entries.ts';
import { maxAllowedBytes, maxBytes } from './coverage.ts';
import type { Allowance, Coverage } from './coverage.ts';

/** What a scan found. */
export interface Found {
  files: BytePath[];
  empty: BytePath[];
  nested: BytePath[];
  uncovered: BytePath[];
}

/** Covers large ignored files, smallest first, within the allowance; other files up to a maximum size. */
export async function leaveOutLarge(
  { git, allowance }: { readonly git: Git; readonly allowance: Allowance },
  view: View,
  { maxIgnoredBytes }: Coverage,
  found: Found,
): Promise<BytePath[]> {
  const sizes = new Map(
    found.files.map((path) => [path, sizeAt(toFile(view.folder, path))] as const),
  );
  const sizeOf = (path: BytePath): number => sizes.get(path) ?? 0;
  const left = new Set(found.files.filter((path) => sizeOf(path) > maxBytes));
  const asked = found.files.filter((path) => sizeOf(path) > maxIgnoredBytes && !left.has(path));
  if (asked.length > 0) {
    // Prefixed with a dot, because a name starting with a colon would be read as a pattern.
    const input = asked.map((path) => `./${path}\0`).join('');
    const args = ['check-ignore', '-z', '--no-index', '--stdin'];
    const ignored = splitNul(await git(view, args, { input, accept: [0, 1] }));
    for (const path of ignored
      .map((named) => named.slice(2))
      .toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
      const size = sizeOf(path);
      if (size > maxAllowedBytes || size > allowance.bytes) left.add(path);
      else allowance.bytes -= size;
    }
  }
  found.uncovered.push(...left);
  return found.files.filter((path) => !left.has(path));
}

/** A covered file that grew too large keeps its old entry, but counts as uncovered. */
export function leaveOutHuge(
  { folder }: View,
  paths: readonly BytePath[],
  found: Found,
): BytePath[] {
  const huge = paths.filter((path) => sizeAt(toFile(folder, path)) > maxBytes);
  found.uncovered.push(...huge);
  return huge.length === 0 ? [...paths] : paths.filter((path) => !huge.includes(path));
}

/** Drops entries below a folder that became a file or link: git does not look beyond it. */
export const leaveOutCovered = (
  known: readonly BytePath[],
  files: ReadonlySet<BytePath>,
): BytePath[] =>
  known.filter((path) => {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      if (files.has(path.slice(0, end))) return false;
    return true;
  });

/** Reports unreadable files; the index has an older version of them. */
export async function leaveOutUnreadable(
  { folder }: View,
  paths: readonly BytePath[],
  found: Found,
): Promise<BytePath[]> {
  const readable = await Promise.all(paths.map((path) => isReadable(toFile(folder, path))));
  found.uncovered.push(...paths.filter((_, index) => readable[index] === false));
  return paths.filter((_, index) => readable[index] === true);
}

async function isReadable(file: Buffer): Promise<boolean> {
  try {
    // The superuser can read everything it can reach.
    if (statPath(file)?.isFile() === true && process.getuid?.() !== 0)
      await access(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
