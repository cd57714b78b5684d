import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Settings } from '../../config/environment.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

const oldestNode = [24, 12] as const;

/** Checks what the machine must provide. */
export async function checkMachine(settings: Settings): Promise<Check[]> {
  return [
    checkNode(process.versions.node),
    checkOperator(process.getuid?.()),
    checkTemporalCli(settings),
    await checkGit(),
  ];
}

/** Root can do anything, and so can whatever escapes from root's sandbox. */
export function checkOperator(uid: number | undefined): Check {
  return uid === 0
    ? warn(
        'operator',
        'root: anything that escapes the sandbox owns the machine',
        'Run dev-agent as a separate user: docs/operations.md, "A separate user".',
      )
    : ok('operator', uid === undefined ? 'not root' : `uid ${uid}, not root`);
}

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const wanted = oldestNode.join('.');
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
    ? ok('Node', version)
    : fail('Node', `${version}, older than ${wanted}`, `Use Node ${wanted} or newer: npx agent …`);
}

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

const findOnPath = (name: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isProgram);

function checkTemporalCli(settings: Settings): Check {
  const name = 'Temporal CLI';
  if (settings.temporalAddress !== undefined) return ok(name, 'not needed: a cluster is used');
  const bin = join(settings.cacheDir, 'bin');
  const cached = existsSync(bin)
    ? readdirSync(bin).find((file) => file.startsWith('temporal-') && isProgram(join(bin, file)))
    : undefined;
  const found =
    settings.temporalCli ??
    findOnPath('temporal') ??
    (cached === undefined ? undefined : join(bin, cached));
  return found === undefined
    ? warn(name, 'not found', 'The first start fetches it, or set AGENT_TEMPORAL_CLI.')
    : ok(name, found);
}

/** Snapshots need `git merge-tree --write-tree`. */
const oldestGit = [2, 38] as const;

function checkGit(): Promise<Check> {
  const needed = `Install git ${oldestGit.join('.')} or newer: without it no run can keep its workspace safe.`;
  return new Promise((resolve) => {
    execFile('git', ['--version'], { timeout: 5_000 }, (error, output) => {
      if (error !== null) return resolve(fail('git', 'not found', needed));
      const version = output.trim().replace(/^git version /, '');
      const [major = 0, minor = 0] = version.split('.').map(Number);
      const isNew = major > oldestGit[0] || (major === oldestGit[0] && minor >= oldestGit[1]);
      resolve(isNew ? ok('git', version) : fail('git', version, needed));
    });
  });
}
