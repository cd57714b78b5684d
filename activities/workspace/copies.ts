import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { joinFamily } from './snapshots/snapshots.ts';

const run = promisify(execFile);

/**
 * Makes a copy of a workspace, with what snapshots leave out, and lets it share the original's snapshots; the caller then
 * brings it to the one it wants. A folder that is there already is taken as an earlier try. Returns its path, free of links.
 */
export async function copyWorkspace(
  snapshotsDir: string,
  original: string,
  copy: string,
): Promise<string> {
  mkdirSync(dirname(copy), { recursive: true });
  if (!existsSync(copy) || readdirSync(copy).length === 0) {
    const temp = `${copy}.copying`;
    rmSync(temp, { recursive: true, force: true });
    mkdirSync(temp);
    // A reflink where the file system has them: a copy that costs next to nothing.
    if (existsSync(original)) await run('cp', ['-a', '--reflink=auto', `${original}/.`, temp]);
    renameSync(temp, copy);
  }
  const real = realpathSync(copy);
  mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
  joinFamily(snapshotsDir, real, original);
  return real;
}
