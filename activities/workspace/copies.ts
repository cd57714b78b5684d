import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { joinFamily } from './snapshots/snapshots.ts';

const run = promisify(execFile);

const unfinished = '.copying-';

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
    removeUnfinished(copy);
    const temp = mkdtempSync(`${copy}${unfinished}`);
    // A reflink where the file system has them: a copy that costs next to nothing.
    if (existsSync(original)) await run('cp', ['-a', '--reflink=auto', `${original}/.`, temp]);
    renameSync(temp, copy);
  }
  const real = realpathSync(copy);
  mkdirSync(snapshotsDir, { recursive: true, mode: 0o700 });
  joinFamily(snapshotsDir, real, original);
  return real;
}

/** What a worker that was killed left half copied. Its `cp` may still be at work: each try has a folder of its own. */
function removeUnfinished(copy: string): void {
  const [folder, prefix] = [dirname(copy), `${basename(copy)}${unfinished}`];
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix)) rmSync(join(folder, name), { recursive: true, force: true });
}
