import { existsSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Settings } from '../config/environment.ts';
import { toRunLog } from '../config/folders.ts';
import type { StackFile } from '../config/stack.ts';
import type { RunClient } from './run-client.ts';
import type { Target } from './temporal/server.ts';
import { invalid } from './errors.ts';
import { findNearest } from './nearest.ts';
import { runIdPattern } from './run-id.ts';
import { ensureStack } from './stack/stack.ts';
import { readStack } from './stack/file.ts';

/** The OS user name. */
export function readUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown'); // A container may run under a number without a name.
  }
}

const toTarget = (stack: StackFile): Target => ({
  address: stack.temporal,
  namespace: stack.namespace,
});

/** The cluster the operator named; undefined for the local stack. */
export function toCluster(settings: Settings): Target | undefined {
  if (settings.temporalAddress === undefined) return undefined;
  const namespace =
    settings.origins.temporalNamespace === 'default'
      ? {}
      : { namespace: settings.temporalNamespace };
  // If it comes from the environment, @temporalio/envconfig reads it, with TLS and API key.
  return settings.origins.temporalAddress === 'environment'
    ? namespace
    : { address: settings.temporalAddress, ...namespace };
}

/** Connects to the cluster or the running stack; undefined if there is neither. Starts nothing. */
export async function connectRunning(settings: Settings): Promise<RunClient | undefined> {
  const stack = readStack(settings);
  const target = toCluster(settings) ?? (stack === undefined ? undefined : toTarget(stack));
  if (target === undefined) return undefined;
  const { connectClient } = await import('./run-client.ts');
  return await connectClient(target, settings);
}

/** Connects for a command about an existing run, starting the local stack if needed. */
export async function connectFor(
  settings: Settings,
  run: string,
  onProgress: (line: string) => void,
): Promise<RunClient> {
  const cluster = toCluster(settings);
  const loading = import('./run-client.ts');
  if (cluster !== undefined) return await (await loading).connectClient(cluster, settings);
  const running = readStack(settings);
  // Do not start a server just to hear that it does not know the run.
  if (running === undefined && !isKnown(settings, run)) throw await toUnknownRun(settings, run);
  const stack = await ensureStack(settings, { onProgress });
  return await (await loading).connectClient(toTarget(stack), settings);
}

const isKnown = ({ folders }: Settings, run: string): boolean =>
  existsSync(toRunLog(folders.root, run)) || existsSync(join(folders.mirror, `run-${run}`));

/** The run name as typed, with or without `run-`. @throws ClientError if it is invalid. */
export function parseRun(typed: string | undefined): string {
  const run = (typed ?? '').trim();
  if (!runIdPattern.test(run)) {
    throw invalid(
      `A run is named by at most 40 lower-case letters, digits and dashes, got "${run}". All runs: agent list`,
    );
  }
  return run;
}

/** Runs with a log in the state folder, unordered. */
export function readRunNames({ folders }: Settings): string[] {
  if (!existsSync(folders.root)) return [];
  return readdirSync(folders.root).flatMap((name) => /^run-(.+)\.jsonl$/.exec(name)?.[1] ?? []);
}

/** The error for an unknown run, suggesting similar names. */
export async function toUnknownRun(
  settings: Settings,
  run: string,
  client?: RunClient,
): Promise<Error> {
  const listed = (await client?.list(200))?.map((row) => row.run) ?? [];
  const near = findNearest(run, [...new Set([...listed, ...readRunNames(settings)])], 3);
  const hint = near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`;
  return invalid(`There is no run "${run}".${hint} All runs: agent list`);
}

/** Uses a client and always closes it. */
export async function withClient<T>(
  client: RunClient,
  use: (client: RunClient) => Promise<T>,
): Promise<T> {
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
