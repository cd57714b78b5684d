/**
 * Copies of the anchors outside the state folder, beside the signing key. Someone who can write only the state folder
 * can remove its anchors or roll all of it back; the copies reveal it. (In transparency logs, a witness remembers heads
 * for others.)
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { replaceText, toTempName } from '../../../config/temporary.ts';
import { overwriteAnchor, parseAnchor, toAnchorFile } from './anchor.ts';
import type { Anchor } from './anchor.ts';
import { createFolder } from '../writer.ts';

/** `keys/audit.pem` → `witness/<id>`: one folder per state folder path. */
export const toWitnessFolder = (root: string, keyFile: string): string => {
  const id = createHash('sha256').update(toRealPath(root)).digest('hex').slice(0, 16);
  return join(dirname(dirname(keyFile)), 'witness', id);
};

function toRealPath(root: string): string {
  const path = resolve(root);
  try {
    return realpathSync(path);
  } catch {
    // Deleted: resolve its parent instead.
    return path === dirname(path) ? path : join(toRealPath(dirname(path)), basename(path));
  }
}

/** Error codes of a file system where nothing can be stored. */
const placeless = new Set(['EACCES', 'EROFS', 'EPERM', 'ENOTDIR']);

/** Stores a copy of an anchor, by the holder of the log's lock; skipped if there is nowhere to store it. */
export async function keepCopy(
  folder: string,
  root: string,
  { log, text }: { readonly log: string; readonly text: string },
): Promise<void> {
  const file = toAnchorFile(folder, log);
  try {
    if (overwriteAnchor(file, text)) return;
    await createFolder(folder);
    // For people: which state folder this belongs to.
    await writeFile(join(folder, 'state-folder'), `${toRealPath(root)}\n`, { mode: 0o600 });
    await replaceText(join(folder, toTempName()), file, text);
  } catch (error) {
    if (!placeless.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The copy of a log's anchor; undefined if there is no readable one. */
export async function readCopy(folder: string, log: string): Promise<Anchor | undefined> {
  try {
    return parseAnchor(await readFile(toAnchorFile(folder, log), 'utf8'));
  } catch (error) {
    if (placeless.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Sets the copy aside when its log starts over; it remains as proof of what the log had. */
export async function setCopyAside(folder: string, log: string): Promise<void> {
  const copy = await readCopy(folder, log);
  if (copy === undefined) return;
  const file = toAnchorFile(folder, log);
  await rename(file, `${file}.lost-${copy.head.hash.slice(0, 8) || copy.head.seq}`);
}

export interface WitnessReading {
  /** Copies of anchors, by log name. */
  readonly kept: ReadonlyMap<string, Anchor>;
  /** What logs had before they started over. */
  readonly lost: readonly Anchor[];
}

/** Everything remembered of a state folder; undefined if nothing is. */
export async function readWitness(folder: string): Promise<WitnessReading | undefined> {
  const kept = new Map<string, Anchor>();
  const lost: Anchor[] = [];
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' || placeless.has(code)) return undefined;
    throw error;
  }
  for (const name of names.toSorted()) {
    const isLost = /\.json\.lost-/.test(name);
    if (!isLost && !name.endsWith('.json')) continue;
    const anchor = parseAnchor(await readFile(join(folder, name), 'utf8'));
    if (anchor === undefined) continue;
    if (isLost) lost.push(anchor);
    else kept.set(anchor.log, anchor);
  }
  return kept.size + lost.length === 0 ? undefined : { kept, lost };
}
