import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Settings } from '../../config/environment.ts';
import { parseWorkspace } from '../values.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

const littleBytes = 1_073_741_824;

/** Checks the workspace and the state folder; creates nothing. */
export function checkFolders(settings: Settings): Check[] {
  return [checkWorkspace(settings), ...checkState(settings.folders.root)];
}

function checkWorkspace(settings: Settings): Check {
  try {
    const path = parseWorkspace(settings.workspace, settings);
    accessSync(path, constants.R_OK | constants.W_OK);
    return ok('workspace', path);
  } catch (error) {
    return fail(
      'workspace',
      (error as Error).message,
      'Choose a folder with -C or AGENT_WORKSPACE.',
    );
  }
}

function checkState(root: string): Check[] {
  const name = 'state folder';
  let nearest = root;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  const checks: Check[] = [];
  try {
    accessSync(nearest, constants.W_OK);
    if (nearest !== root) checks.push(ok(name, `${root} (made when needed)`));
    else if ((statSync(root).mode & 0o077) !== 0) {
      checks.push(warn(name, `${root} can be read by others`, `chmod 700 ${root}`));
    } else checks.push(ok(name, root));
  } catch {
    checks.push(fail(name, `${root} cannot be written`, 'Choose another with AGENT_STATE_DIR.'));
  }
  const { bavail, bsize } = statfsSync(nearest);
  const free = bavail * bsize;
  const found = `${(free / littleBytes).toFixed(1)} GiB free`;
  checks.push(
    free < littleBytes
      ? warn('disk', found, 'Make room: a run that cannot write its record stops.')
      : ok('disk', found),
  );
  return checks;
}
