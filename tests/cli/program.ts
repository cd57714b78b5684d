import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Path of the program. */
export const entry = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Runs the real program in a process of its own, without any terminal. */
export function runAgent(
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...args], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      stdio: 'pipe',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}

export interface Place {
  readonly root: string;
  readonly state: string;
  readonly env: Record<string, string>;
  readonly remove: () => Promise<void>;
}

/** A state folder of its own, so that no test meets the runs or the stack of another. */
export async function createPlace(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'agent-cli-'));
  const state = join(root, 'state');
  const cli = process.env['AGENT_TEMPORAL_CLI'];
  const env: Record<string, string> = {
    AGENT_STATE_DIR: state,
    XDG_CONFIG_HOME: join(root, 'config'),
  };
  if (cli !== undefined) env['AGENT_TEMPORAL_CLI'] = cli;
  return { root, state, env, remove: () => rm(root, { recursive: true, force: true }) };
}
