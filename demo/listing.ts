/** The text of `list_files` → what is there. Lenient about columns and tree lines, strict about notices. */
import { basename, extname } from 'node:path/posix';

export interface Listing {
  readonly files: readonly string[];
  /** Without the slash at the end. */
  readonly folders: readonly string[];
  /** False when the tool said that it left something out. */
  readonly complete: boolean;
}

/** What this program writes; never counted, so that writing it changes no number. */
export const pageName = 'WORKSPACE.md';

const isNotice = (line: string): boolean => /^(\[.*\]|\(.*\)|…|\.\.\.(?!\/))/.test(line);

/** Tree lines, sizes after two blanks, a tab or in brackets, and link targets are no part of a name. */
const toName = (line: string): string =>
  line
    .replace(/(\t| {2,}| \(\d| -> | → ).*$/u, '')
    .replace(/^\.\//, '')
    .trim();

/** Names may be whole paths or indented below their folder. */
export function parseListing(text: string): Listing {
  const files = new Set<string>();
  const folders = new Set<string>();
  const above: { indent: number; path: string }[] = [];
  let complete = true;
  for (const line of text.split('\n')) {
    const indent = /^[\s│├└─|`]*(?:[-*] )?/u.exec(line)?.[0].length ?? 0;
    const rest = line.slice(indent);
    if (isNotice(rest)) {
      complete = false;
      continue;
    }
    const name = toName(rest);
    if (name === '' || name === '.' || name.endsWith(':')) continue;
    while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
    const parent = above.at(-1)?.path;
    const path = parent === undefined || name.startsWith(`${parent}/`) ? name : `${parent}/${name}`;
    if (path.endsWith('/')) {
      folders.add(path.slice(0, -1));
      above.push({ indent, path: path.slice(0, -1) });
    } else if (path !== pageName) files.add(path);
  }
  return { files: [...files], folders: [...folders], complete };
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

export const hasGit = ({ files, folders }: Listing): boolean =>
  [...files, ...folders].some((path) => path === '.git' || path.startsWith('.git/'));
