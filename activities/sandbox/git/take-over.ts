import {
  chmodSync,
  lstatSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { failpoint } from '../../../audit/record/failpoint.ts';
import { pause } from './pause.ts';
import { copyWithTime, isNoText, isThere, lookAt, stampOf } from './private-copy.ts';
import type { PrivateCopy } from './private-copy.ts';
import { makeFolder, readNames, readText, removeEmpty, unlinkQuietly } from './quietly.ts';
import { inOrder, isRef, startOfRef, toRefName } from './ref-paths.ts';
import { applySettings, parseSettings } from './settings.ts';

const disarmed = /\.disarmed(?:-\d+)?$/;

/** A branch removed to make room for another can be read here until all is done. */
interface HeldRefs {
  /** The original's packed-refs before. */
  readonly old: Buffer | undefined;
  readonly isChanged: boolean;
  /** Ids by name. */
  readonly refs: Map<string, string>;
}

/**
 * Applies git's changes from the copy, already disarmed by the caller, to the original. Refs changed in the original
 * meanwhile win. Interruptible at any point: nothing is written before what it refers to, nor removed before what
 * refers to it. Returns the paths that were not applied.
 */
export async function takeOver(copy: PrivateCopy, original: string): Promise<string[]> {
  const { folder, stamps, folders, shown } = copy;
  const kept: string[] = [];
  const isShown = new Set(shown.map(({ path }) => path));
  const seen = new Set<string>();
  const held = new Map<string, HeldRefs>();
  const isTheirs = wasMoved();
  const files = await listFiles();
  failpoint('take-over');
  makeRoom();
  for (const path of files) {
    await pause();
    if (makeFolders(dirname(path))) await takeFile(path);
    failpoint('take-over');
  }
  for (const [path, { old }] of held)
    if (isTaken(path))
      replaceFile(path, (temporary) => copyWithTime(join(folder, path), temporary));
    else if (old === undefined) unlinkQuietly(join(original, path));
    else replaceFile(path, (temporary) => writeFileSync(temporary, old));
  const gone = [...stamps.keys()].filter((path) => !seen.has(path) && isRemovable(path));
  for (const path of gone.toSorted(inOrder).toReversed()) {
    remove(path);
    failpoint('take-over');
  }
  for (const path of [...folders].toSorted().toReversed())
    if (!seen.has(path) && path !== 'hooks') removeEmpty(join(original, path));
  return kept;

  /** In an order safe for writing. */
  async function listFiles(): Promise<string[]> {
    const found: string[] = [];
    const todo = [''];
    for (let at = todo.pop(); at !== undefined; at = todo.pop())
      for (const entry of readdirSync(join(folder, at), { withFileTypes: true })) {
        await pause();
        const path = at === '' ? entry.name : `${at}/${entry.name}`;
        if (
          isNoText(entry.name) ||
          isShown.has(path) ||
          path.startsWith('hooks/') ||
          disarmed.test(path)
        )
          continue;
        seen.add(path);
        if (entry.isDirectory()) todo.push(path);
        else if (entry.isFile() && !path.endsWith('.lock')) found.push(path);
      }
    return found.toSorted(inOrder);
  }

  /** True if someone else committed or switched branches in the original: its staged changes are theirs. */
  function wasMoved(): boolean {
    return [...stamps].some(
      ([path, { original: before }]) => isRef(path) && stampOf(join(original, path)) !== before,
    );
  }

  /** False if something else, such as a link, is in the way. */
  function makeFolders(path: string): boolean {
    if (path === '.') return true;
    if (kept.includes(path) || !makeFolders(dirname(path))) return false;
    const isMade = makeFolder(join(original, path));
    if (!isMade) kept.push(path);
    return isMade;
  }

  function isRemovable(path: string): boolean {
    return !isShown.has(path) && !path.startsWith('hooks/') && !wasDisarmed(path);
  }

  function remove(path: string): void {
    if (
      isRef(path) &&
      !held.has(path) &&
      stampOf(join(original, path)) !== stamps.get(path)?.original
    )
      kept.push(path);
    else unlinkQuietly(join(original, path));
  }

  /** A branch may have become a folder of branches, or vice versa: remove the old ones first. */
  function makeRoom(): void {
    const inTheWay = [...stamps.keys()].filter((path) => {
      const now = lookAt(join(folder, path));
      const isInTheWay = now === undefined ? isBelowFile(dirname(path)) : now.isDirectory();
      return isInTheWay && isRemovable(path);
    });
    for (const path of inTheWay) hold(path);
    for (const [path, { old, refs }] of held) writeHeld(path, old, refs);
    for (const path of inTheWay) {
      remove(path);
      failpoint('take-over');
      seen.add(path);
      for (let at = dirname(path); isRef(at); at = dirname(at)) removeEmpty(join(original, at));
    }
  }

  function hold(path: string): void {
    const start = startOfRef(original, path);
    const id = start === undefined ? undefined : readText(join(original, path))?.toString().trim();
    if (start === undefined || id === undefined || !/^[0-9a-f]{40,64}$/.test(id)) return;
    const packed = `${path.slice(0, start)}packed-refs`;
    const isChanged = stampOf(join(original, packed)) !== (stamps.get(packed)?.original ?? '');
    const known = held.get(packed) ?? {
      old: readText(join(original, packed)),
      isChanged,
      refs: new Map<string, string>(),
    };
    known.refs.set(path.slice(start), id);
    held.set(packed, known);
  }

  /** Drops git's first line, which says that they are sorted. */
  function writeHeld(path: string, text: Buffer | undefined, refs: Map<string, string>): void {
    const others = (text?.toString('latin1') ?? '')
      .split(/\n(?!\^)/)
      .filter((entry) => entry !== '' && !entry.startsWith('#'))
      .filter((entry) => !refs.has(Buffer.from(toRefName(entry), 'latin1').toString()));
    const own = [...refs].map(([name, id]) => Buffer.from(`${id} ${name}`).toString('latin1'));
    const whole = [...others, ...own, ''].join('\n');
    replaceFile(path, (temporary) => writeFileSync(temporary, whole, 'latin1'));
    failpoint('take-over');
  }

  /** Whether the copy's packed-refs should replace the original's. */
  function isTaken(path: string): boolean {
    const isSame = stamps.get(path)?.copy === stampOf(join(folder, path));
    return seen.has(path) && !isSame && held.get(path)?.isChanged === false;
  }

  /** Whether a parent folder of a path is a file in the copy. */
  function isBelowFile(above: string): boolean {
    for (let at = above; at !== '.'; at = dirname(at))
      if (lookAt(join(folder, at))?.isFile() === true) return true;
    return false;
  }

  /** Missing from its place in the copy only because it was renamed when disarmed. */
  function wasDisarmed(path: string): boolean {
    return readNames(dirname(join(folder, path))).some((name) =>
      name.startsWith(`${basename(path)}.disarmed`),
    );
  }

  async function takeFile(path: string): Promise<void> {
    const before = stamps.get(path);
    const [from, to] = [join(folder, path), join(original, path)];
    if (before?.copy === stampOf(from)) return;
    // Removes empty folders of deleted branches, as git does.
    if (before === undefined && isRef(path)) removeEmpty(to);
    const holding = held.get(path);
    const isChanged = holding?.isChanged ?? stampOf(to) !== (before?.original ?? '');
    const isStaged = /(?:^|\/)index$/.test(path) && isTheirs;
    if (isChanged && (isRef(path) || isStaged) && isThere(to)) {
      kept.push(path);
      return;
    }
    const given = copy.hidden.get(path);
    if (given !== undefined) await takeSettings(path, given);
    else if (holding !== undefined) writeHeld(path, readFileSync(from), holding.refs);
    else replaceFile(path, (temporary) => copyWithTime(from, temporary));
  }

  /** The person's own text, plus the command's changes to the version it saw. */
  async function takeSettings(path: string, given: Buffer): Promise<void> {
    const after = await parseSettings(readFileSync(join(folder, path)));
    const before = await parseSettings(given);
    if (before === undefined || after === undefined) return;
    const text = await applySettings(readFileSync(join(original, path)), before, after);
    if (text !== undefined) replaceFile(path, (temporary) => writeFileSync(temporary, text));
  }

  /** Atomic, for a git reading meanwhile. A kill leaves no ref, just a file git never reads. */
  function replaceFile(path: string, write: (temporary: string) => void): void {
    const to = join(original, path);
    const temporary = join(original, `.dev-agent-${process.pid}.disarmed`);
    try {
      write(temporary);
      const mode = lstatSync(to, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined) chmodSync(temporary, mode & 0o777);
      failpoint('take-over');
      renameSync(temporary, to);
    } catch (error) {
      unlinkQuietly(temporary);
      throw error;
    }
  }
}

/** Removes what a killed process left in a git folder while applying changes. */
export function removeTemporaries(folder: string): void {
  for (const name of readNames(folder))
    if (/^\.dev-agent-\d+\.disarmed$/.test(name)) unlinkQuietly(join(folder, name));
}
