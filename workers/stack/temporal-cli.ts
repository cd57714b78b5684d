import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute } from '../../activities/sandbox/execute.ts';

export interface CliSearch {
  /** The operator's setting; already checked to be executable. */
  readonly temporalCli?: string;
  readonly cacheDir: string;
  /** Value of PATH. */
  readonly path: string;
}

/** The version fetched if none is installed: the newest that `go install` accepts too. */
export const pinnedVersion = 'v1.5.1';

const cachedCli = (cacheDir: string): string => join(cacheDir, 'bin', `temporal-${pinnedVersion}`);

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

const findOnPath = (program: string, path: string): string | undefined =>
  path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isProgram);

/** The `temporal` program: the operator's, the one on PATH, or the one fetched earlier. */
export function findTemporalCli({ temporalCli, cacheDir, path }: CliSearch): string | undefined {
  if (temporalCli !== undefined) return temporalCli;
  const cached = cachedCli(cacheDir);
  return findOnPath('temporal', path) ?? (isProgram(cached) ? cached : undefined);
}

/** The program's own version, such as `0.0.0-DEV (Server 1.29.1, UI 2.42.1)`; `unknown` if it reports none. */
export async function readProgramVersion(cli: string): Promise<string> {
  const { stdout } = await execute(cli, ['--version'], { timeout: 5_000 }).catch(() => ({
    stdout: '',
  }));
  return /version (\S+.*)/.exec(stdout)?.[1] ?? 'unknown';
}

/** The Temporal CLI is not installed and could not be fetched. */
export class CliMissingError extends Error {
  override readonly name = 'CliMissingError';
  readonly exitCode = 69;
}

interface Ended {
  readonly code: number | null;
  readonly lastLine: string;
}

const run = (
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeoutMs: number,
): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
    });
    let tail = '';
    child.stderr.on('data', (bytes: Buffer) => (tail = (tail + bytes.toString()).slice(-2_000)));
    child.on('error', (error) => resolve({ code: null, lastLine: error.message }));
    child.on('close', (code) => {
      const late = code === null ? `ended after ${timeoutMs / 1_000} s` : `exit ${code}`;
      resolve({ code, lastLine: tail.trim().split('\n').at(-1) || late });
    });
  });

interface Way {
  readonly name: string;
  readonly announce: string;
  readonly run: (folder: string) => Promise<Ended>;
}

const toWays = (path: string): readonly Way[] => {
  const go = findOnPath('go', path);
  const source = `github.com/temporalio/cli/cmd/temporal@${pinnedVersion}`;
  const download = fileURLToPath(new URL('download.ts', import.meta.url));
  return [
    {
      name: 'download',
      announce: `Fetching the Temporal CLI ${pinnedVersion}, about 60 MB, once …`,
      run: (folder) => run(process.execPath, [download, folder, pinnedVersion], {}, 300_000),
    },
    {
      name: 'go install',
      announce: `The download failed; compiling the Temporal CLI ${pinnedVersion} with Go, about 3 minutes, once …`,
      run: (folder) =>
        go === undefined
          ? Promise.resolve({ code: null, lastLine: 'Go is not on PATH' })
          : run(go, ['install', source], { GOBIN: folder }, 1_200_000),
    },
  ];
};

/**
 * Fetches the Temporal CLI into the cache folder: the SDK's download, else `go install` of the same version. @throws
 * CliMissingError with why each way failed and what the operator can do.
 */
export async function fetchTemporalCli(
  { cacheDir, path }: CliSearch,
  onProgress: (line: string) => void,
): Promise<string> {
  const target = cachedCli(cacheDir);
  await mkdir(join(cacheDir, 'bin'), { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(cacheDir, 'bin', 'fetch-'));
  const started = Date.now();
  const ticker = setInterval(() => {
    onProgress(`… still working after ${Math.round((Date.now() - started) / 1_000)} s`);
  }, 15_000);
  const failures: string[] = [];
  try {
    for (const way of toWays(path)) {
      onProgress(way.announce);
      const { code, lastLine } = await way.run(folder);
      const [file] = code === 0 ? await readdir(folder) : [];
      if (file !== undefined) {
        await chmod(join(folder, file), 0o755);
        await rename(join(folder, file), target);
        return target;
      }
      failures.push(`${way.name}: ${lastLine}`);
    }
  } finally {
    clearInterval(ticker);
    // Go's module cache is read-only, but GOBIN holds only the program.
    await rm(folder, { recursive: true, force: true });
  }
  throw new CliMissingError(
    `The Temporal CLI is not on PATH and could not be fetched (${failures.join('; ')}). ` +
      'Install it (https://docs.temporal.io/cli) and set AGENT_TEMPORAL_CLI to its path, ' +
      'or set TEMPORAL_ADDRESS to a cluster you have.',
  );
}
