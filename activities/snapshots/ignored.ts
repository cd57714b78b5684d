/**
 * Which changes git ignores. Uses the rules (`.gitignore`, `info/exclude`) from the snapshot before the change, so that
 * nobody can hide work by ignoring it; tracked files are never ignored.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { joinPath, parentOf, toFile, toText } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { compareTrees, toStoredView } from './compare.ts';
import type { Change } from './compare.ts';
import { findEntry } from './entries.ts';
import { GitError, splitNul } from './git.ts';
import { addParts, noParts, readParts } from './parts.ts';
import type { Parts } from './parts.ts';
import type { Shadow } from './shadow.ts';

/** For a folder without git: what tools leave behind. */
const usualRules = [
  '*.pyc',
  '*.pyo',
  '*.swp',
  '*~',
  '.DS_Store',
  'Thumbs.db',
  '.coverage',
  '*.tsbuildinfo',
  '.nyc_output/',
  '.cache/',
  '.eggs/',
  '*.egg-info/',
  '.ipynb_checkpoints/',
  'npm-debug.log*',
];

export interface SortedPaths {
  readonly changes: readonly Change[];
  readonly ignored: readonly Change[];
}

/** What happened to each file between two snapshots, nested repositories included; ignored files separately. */
export async function sortChanges(
  shadow: Shadow,
  before: string,
  after: string,
): Promise<SortedPaths> {
  if (before === after) return { changes: [], ignored: [] };
  return await sortParts(
    shadow,
    await readParts(shadow.objects, before),
    await readParts(shadow.objects, after),
  );
}

async function sortParts(shadow: Shadow, before: Parts, after: Parts): Promise<SortedPaths> {
  const { objects } = shadow;
  const found = await compareTrees(shadow, toStoredView(shadow), before.files, after.files);
  const isIgnored = await readRules(shadow, before, found);
  const changes = found.filter((change) => !isIgnored(change));
  const ignored = found.filter(isIgnored);
  for (const path of new Set([...before.nested.keys(), ...after.nested.keys()])) {
    const [from, to] = [before.nested.get(path), after.nested.get(path)];
    if (from === to) continue;
    const inner = await sortParts(
      shadow,
      from === undefined ? noParts : await readParts(objects, from),
      to === undefined ? noParts : await readParts(objects, to),
    );
    const toOuter = (change: Change): Change => ({ ...change, path: joinPath(path, change.path) });
    changes.push(...inner.changes.map(toOuter));
    ignored.push(...inner.ignored.map(toOuter));
  }
  return { changes, ignored };
}

/** `tree` with ignored files reset to `base`. Nested repositories stay whole. */
export async function withoutIgnored(
  shadow: Shadow,
  base: string,
  tree: string,
): Promise<{ readonly tree: string; readonly ignored: readonly string[] }> {
  const { git, objects, repository } = shadow;
  const [from, to] = [await readParts(objects, base), await readParts(objects, tree)];
  const found = await compareTrees(shadow, toStoredView(shadow), from.files, to.files);
  const ignored = found.filter(await readRules(shadow, from, found)).map(({ path }) => path);
  if (ignored.length === 0) return { tree, ignored };
  return await withFolder(repository, async (folder) => {
    const view = { repository, index: join(basename(folder), 'index'), folder: repository };
    const entries = await listFiles(shadow, from.files);
    await git(view, ['read-tree', to.files]);
    const lines = ignored.map((path) => {
      const entry = entries.get(path);
      return entry === undefined
        ? `0 ${'0'.repeat(40)}\t${path}\0`
        : `${entry.mode} ${entry.id}\t${path}\0`;
    });
    await git(view, ['update-index', '-z', '--index-info'], { input: lines.join('') });
    const files = (await git(view, ['write-tree', '--missing-ok'])).trim();
    const kept = addParts(objects, { ...to, files });
    await objects.flush();
    return { tree: kept, ignored: ignored.map((path) => toText(path)) };
  });
}

type IsIgnored = (change: Change) => boolean;

const nothing: IsIgnored = () => false;

async function readRules(
  shadow: Shadow,
  before: Parts,
  changes: readonly Change[],
): Promise<IsIgnored> {
  const { repository, objects } = shadow;
  if (changes.length === 0) return nothing;
  return await withFolder(repository, async (folder) => {
    const gitFolder =
      before.git === undefined ? undefined : (await readParts(objects, before.git)).files;
    const readFrom = async (...path: readonly string[]): Promise<Buffer | undefined> => {
      const entry = await findEntry(objects, gitFolder, path);
      return entry?.mode.startsWith('100') ? await objects.read(entry.id) : undefined;
    };
    const isRepository = before.git !== undefined || before.pointer !== undefined;
    const excludes = isRepository
      ? ((await readFrom('info', 'exclude')) ?? Buffer.alloc(0))
      : Buffer.from(usualRules.join('\n'));
    const rules = join(folder, 'rules');
    mkdirSync(rules);
    writeFileSync(join(folder, 'exclude'), excludes);
    await writeRules(shadow, before.files, rules, changes);
    const ignored = await checkIgnored(shadow, folder, changes);
    if (ignored.size === 0) return nothing;
    const index = await readFrom('index');
    const tracked = index && (await listTracked(shadow, folder, index));
    if (tracked !== undefined) return ({ path }) => ignored.has(path) && !tracked.has(path);
    // Without knowing what git tracks, only new files count as ignored.
    return isRepository
      ? ({ path, kind }) => ignored.has(path) && kind === 'added'
      : ({ path }) => ignored.has(path);
  });
}

/** Writes the `.gitignore` files relevant to these paths into an empty folder. */
async function writeRules(
  shadow: Shadow,
  files: string,
  rules: string,
  changes: readonly Change[],
): Promise<void> {
  const folders = new Set<BytePath>();
  for (const { path } of changes)
    for (let at = parentOf(path); !folders.has(at); at = parentOf(at)) folders.add(at);
  for (const [path, { mode, id }] of await listFiles(shadow, files)) {
    const folder = parentOf(path);
    if (joinPath(folder, '.gitignore') !== path || !folders.has(folder)) continue;
    if (!mode.startsWith('100')) continue;
    mkdirSync(toFile(rules, folder), { recursive: true });
    writeFileSync(toFile(rules, path), await shadow.objects.read(id));
  }
}

async function checkIgnored(
  { git, repository }: Shadow,
  folder: string,
  changes: readonly Change[],
): Promise<Set<BytePath>> {
  const view = { repository, index: 'none', folder: join(folder, 'rules') };
  // Prefixed with a dot, because a name starting with a colon would be read as a pattern.
  const input = changes.map(({ path }) => `./${path}\0`).join('');
  const args = ['check-ignore', '-z', '--no-index', '--stdin'];
  const output = await git(view, ['-c', `core.excludesFile=${join(folder, 'exclude')}`, ...args], {
    input,
    accept: [0, 1],
  });
  return new Set(splitNul(output).map((path) => path.slice(2)));
}

/** Paths in an index; undefined if it cannot be read on its own, such as a split index. */
async function listTracked(
  { git, repository }: Shadow,
  folder: string,
  index: Buffer,
): Promise<Set<BytePath> | undefined> {
  writeFileSync(join(folder, 'tracked'), index);
  const view = { repository, index: join(basename(folder), 'tracked'), folder: repository };
  try {
    return new Set(splitNul(await git(view, ['ls-files', '-z', '--cached'])));
  } catch (error) {
    if (error instanceof GitError) return undefined;
    throw error;
  }
}

async function listFiles(
  { git, repository }: Shadow,
  files: string,
): Promise<Map<BytePath, { readonly mode: string; readonly id: string }>> {
  const view = { repository, index: 'none', folder: repository };
  const lines = splitNul(await git(view, ['ls-tree', '-r', '-z', '--full-tree', files]));
  return new Map(
    lines.map((line) => {
      const tab = line.indexOf('\t');
      const [mode = '', , id = ''] = line.slice(0, tab).split(' ');
      return [line.slice(tab + 1), { mode, id }];
    }),
  );
}

async function withFolder<T>(repository: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(repository, 'ignored-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
