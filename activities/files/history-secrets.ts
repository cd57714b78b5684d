import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { pickSecrets } from '../../policies/secrets/values.ts';
import type { SecretValue } from '../../policies/secrets/values.ts';
import { createGit, openRepository } from '../snapshots/git.ts';
import type { View } from '../snapshots/git.ts';

/** Env files with secret values, not the examples and templates. */
const dotenv = /^\.env(?:rc|\.(?!example$|sample$|template$|dist$|defaults?$).+)?$/;
const largestFile = 262_144;
const maxFiles = 2_000;
const maxTreeBytes = 67_108_864;
/** Total size of pack indexes, about a million objects. For larger repositories, redaction by form has to do. */
const maxIndexBytes = 33_554_432;

const git = createGit('history');

/**
 * Reads the secrets of every `.env` file in a workspace's git history (any commit, stash or dangling object), because a
 * command can print any of them. Uses only the object folder, through our own repository, so that none of the
 * workspace's git settings apply. Rereads only after objects were added.
 */
export function createHistoryReader(
  repository: string,
): (root: string) => Promise<readonly SecretValue[]> {
  const stamps = new Map<string, string>();
  const seen = new Set<string>();
  const running = new Map<string, Promise<readonly SecretValue[]>>();
  const read = async (root: string): Promise<readonly SecretValue[]> => {
    try {
      const objects = join(root, '.git', 'objects');
      const stamp = toStamp(objects);
      if (stamp === undefined || stamps.get(root) === stamp) return [];
      openRepository(repository, undefined);
      const view: View = { repository, index: 'index', folder: root, objects };
      const values = await readValues(view, seen);
      stamps.set(root, stamp);
      return values;
    } catch {
      return []; // No repository, or a damaged one: what shows by its form is still taken out.
    }
  };
  return async (root) => {
    const reading = running.get(root) ?? read(root);
    running.set(root, reading);
    try {
      return await reading;
    } finally {
      running.delete(root);
    }
  };
}

/** Changes with every object added; undefined if it is not an object folder, or too large. */
function toStamp(objects: string): string | undefined {
  if (!lstatSync(objects).isDirectory()) return undefined;
  const folders = readdirSync(objects).filter((name) => /^(?:[0-9a-f]{2}|pack)$/.test(name));
  const packs = folders.includes('pack') ? readdirSync(join(objects, 'pack')) : [];
  const indexes = packs.filter((name) => name.endsWith('.idx'));
  const bytes = indexes.reduce((sum, name) => sum + lstatSync(join(objects, 'pack', name)).size, 0);
  if (bytes > maxIndexBytes) return undefined;
  return folders.map((name) => `${name}/${lstatSync(join(objects, name)).mtimeMs}`).join(' ');
}

async function readValues(view: View, seen: Set<string>): Promise<SecretValue[]> {
  const listed = await git(view, [
    'cat-file',
    '--batch-all-objects',
    '--unordered',
    '--batch-check=%(objectname) %(objecttype) %(objectsize)',
  ]);
  const trees: string[] = [];
  let bytes = 0;
  for (const line of listed.split('\n')) {
    const [id = '', type, size] = line.split(' ');
    if (type !== 'tree' || seen.has(id)) continue;
    bytes += Number(size);
    if (bytes > maxTreeBytes) break;
    trees.push(id);
  }
  const files = new Set<string>();
  for (const { id, content } of await readObjects(view, trees)) {
    seen.add(id);
    for (const file of findFiles(content, id.length / 2)) files.add(file);
  }
  const wanted = [...files].filter((id) => !seen.has(id)).slice(0, maxFiles);
  const sizes = await git(view, ['cat-file', '--batch-check=%(objectname) %(objectsize)'], {
    input: toLines(wanted),
  });
  const small = sizes.split('\n').flatMap((line) => {
    const [id = '', size] = line.split(' ');
    return Number(size) <= largestFile ? [id] : [];
  });
  return (await readObjects(view, small)).flatMap(({ id, content }) => {
    seen.add(id);
    return pickSecrets(parseEnv(Buffer.from(content, 'latin1').toString('utf8')));
  });
}

const toLines = (ids: readonly string[]): string => ids.map((id) => `${id}\n`).join('');

interface GitObject {
  readonly id: string;
  /** One character per byte. */
  readonly content: string;
}

async function readObjects(view: View, ids: readonly string[]): Promise<GitObject[]> {
  if (ids.length === 0) return [];
  const read = await git(view, ['cat-file', '--batch'], { input: toLines(ids) });
  const objects: GitObject[] = [];
  for (let at = 0; at < read.length;) {
    const end = read.indexOf('\n', at);
    const [id = '', , size] = read.slice(at, end).split(' ');
    const length = Number(size);
    // A missing object's line has no content after it.
    if (!Number.isSafeInteger(length)) at = end + 1;
    else {
      objects.push({ id, content: read.slice(end + 1, end + 1 + length) });
      at = end + length + 2;
    }
    if (end === -1) break;
  }
  return objects;
}

/** Ids of the env files in a tree object, which repeats `mode name`, NUL, id bytes. */
function findFiles(tree: string, idBytes: number): string[] {
  const found: string[] = [];
  for (let at = 0; at < tree.length;) {
    const end = tree.indexOf('\0', at);
    if (end === -1) break;
    const entry = tree.slice(at, end);
    const next = end + 1 + idBytes;
    if (entry.startsWith('100') && dotenv.test(entry.slice(entry.indexOf(' ') + 1)))
      found.push(Buffer.from(tree.slice(end + 1, next), 'latin1').toString('hex'));
    at = next;
  }
  return found;
}
