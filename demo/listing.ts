/** The text of `list_files` → what is there: two spaces a level, `folder/`, `file <bytes>`, `name (link)`. */
import { basename, extname } from 'node:path/posix';

export interface Listing {
  readonly files: readonly string[];
  /** Without the slash at the end. */
  readonly folders: readonly string[];
  /** Folders the tool names and does not enter. */
  readonly closed: readonly string[];
  /** False when the tool left something out. */
  readonly complete: boolean;
}

/** What this program writes; never counted, so that writing it changes no number. */
export const pageName = 'WORKSPACE.md';

const entry =
  /^(?<indent>(?: {2})*)(?<name>\S.*?)(?<kind>\/(?: \(not listed\))?| \d+| \((?:link|special)\))$/;

/** A line that is no entry is a notice of what was left out, wherever the text was cut. */
export function parseListing(text: string): Listing {
  const files: string[] = [];
  const folders: string[] = [];
  const closed: string[] = [];
  const above: string[] = [];
  let complete = true;
  for (const line of text.split('\n')) {
    const { indent, name, kind = '' } = entry.exec(line)?.groups ?? {};
    if (name === undefined || indent === undefined) {
      if (line.trim() !== '' && line !== '(empty folder)') complete = false;
      continue;
    }
    above.length = Math.min(above.length, indent.length / 2);
    const path = [...above, name].join('/');
    if (kind.startsWith('/')) {
      folders.push(path);
      above.push(name);
      if (kind.length > 1) closed.push(path);
    } else if (/ \d/.test(kind) && path !== pageName) files.push(path);
  }
  return { files, folders, closed, complete };
}

export type Count = readonly [name: string, files: number];

function countBy(names: readonly string[]): readonly Count[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** Most frequent first; files without an extension are counted under their kind. */
export const countExtensions = ({ files }: Listing): readonly Count[] =>
  countBy(files.map((file) => extname(basename(file)) || 'no extension'));

/** Files below each folder of the root, most first; folders with no file listed count 0. */
export function countTopFolders({ files, folders }: Listing): readonly Count[] {
  const tops = files
    .filter((file) => file.includes('/'))
    .map((file) => file.split('/', 1)[0] ?? '');
  const counted = countBy(tops);
  const known = new Set(tops);
  const empty = folders.filter((folder) => !folder.includes('/') && !known.has(folder));
  return [...counted, ...empty.toSorted().map((folder): Count => [folder, 0])];
}

const manifests =
  /^(readme(\.\w+)?|package\.json|pyproject\.toml|cargo\.toml|go\.mod|composer\.json)$/i;

/** Files of the root that say what the project is, README first. */
export const findManifests = ({ files }: Listing): readonly string[] =>
  files
    .filter((file) => manifests.test(file))
    .toSorted((a, b) => Number(/^readme/i.test(b)) - Number(/^readme/i.test(a)) || (a < b ? -1 : 1))
    .slice(0, 5);

export const hasGit = ({ folders }: Listing): boolean => folders.includes('.git');
