import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { removeTree } from './remove.ts';
import { joinFamily } from '../snapshots/snapshots.ts';
import { execute } from '../sandbox/execute.ts';

const unfinished = '.copying-';

/**
 * Copies a workspace, including what snapshots leave out, and lets the copy share the original's snapshots; the caller
 * then restores the one it wants. An existing folder is taken for an earlier attempt. Returns the copy's path, free of
 * links.
 */
export async function copyWorkspace(
  snapshotsDir: string,
  original: string,
  copy: string,
): Promise<string> {
  mkdirSync(dirname(copy), { recursive: true });
  if (!existsSync(copy) || readdirSync(copy).length === 0) {
    removeUnfinished(copy);
    const temp = mkdtempSync(`${copy}${unfinished}`);
    // Uses reflinks where the file system supports them, which cost almost nothing.
    if (existsSync(original))
      await execute('cp', ['-a', '--reflink=auto', `${original}/.`, temp], {
        env: { ...process.env, LC_ALL: 'C' },
        maxBuffer: maxSaid,
      }).catch(passOver);
    renameSync(temp, copy);
  }
  const real = realpathSync(copy);
  mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
  joinFamily(snapshotsDir, real, original);
  return real;
}

const maxSaid = 64 * 1024 * 1024;

/** An unreadable or unreachable file does not stop the copy; a full disk does. */
function passOver(error: unknown): void {
  const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string };
  const lines = stderr.split('\n').filter((line) => line !== '');
  if (code !== 1 || lines.length === 0 || !lines.every((line) => passable.test(line))) throw error;
}

const passable =
  /: (?:Permission denied|Operation not permitted|File name too long|No such file or directory|Too many levels of symbolic links|Input\/output error|Stale file handle|No such device or address)$/;

/** Removes half-made copies of a killed worker. Its `cp` may still be running: each attempt has its own folder. */
function removeUnfinished(copy: string): void {
  const [folder, prefix] = [dirname(copy), `${basename(copy)}${unfinished}`];
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix)) removeTree(join(folder, name));
}
