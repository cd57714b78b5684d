import { existsSync, watch } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toRunLog } from '../config/folders.ts';
import type { Anchors } from './anchor.ts';
import { ChainError, ChainLockedError } from './chain.ts';
import type { HistoryService, MirrorLog } from './mirror.ts';
import { MirrorMismatch, mirrorRun, pause, retryDelay } from './mirror.ts';
import { limitPolls } from './polls.ts';

export interface ListService extends HistoryService {
  listWorkflowExecutions(request: {
    namespace: string;
    pageSize: number;
    query: string;
    nextPageToken?: Uint8Array;
  }): Promise<{
    executions?: readonly { execution?: { workflowId?: string | null } | null }[] | null;
    nextPageToken?: Uint8Array | null;
  }>;
}

export interface MirrorAll {
  readonly service: ListService;
  readonly namespace: string;
  /** State folder. */
  readonly root: string;
  /** A file here, named by workflow id, asks for a mirror at once; removed when the mirror has its header. */
  readonly inbox: string;
  readonly signal: AbortSignal;
  readonly log: MirrorLog;
  readonly version: string;
  readonly anchors: Anchors;
}

const sweepMs = 10_000;
/** Each open run holds a long poll of up to 20 s; beyond this many they take turns. */
const mostPolls = 256;
/** An id becomes a file name, and whoever can start a workflow chooses it. */
const workflowIdPattern = /^run-[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Mirrors every run of the namespace until `signal` fires: those announced in the inbox at once, all others as soon as
 * visibility shows them, and those whose mirror was left unfinished. A run whose file was tampered with is reported once
 * and left alone.
 */
export async function mirrorAll(given: MirrorAll): Promise<void> {
  const { root, inbox, signal, log } = given;
  const history = limitPolls(given.service, mostPolls);
  const options = { ...given, history };
  await mkdir(inbox, { recursive: true, mode: 0o700 });
  const tails = new Map<string, Promise<unknown>>();
  const done = new Set<string>();
  const start = (workflowId: string): void => {
    if (tails.has(workflowId) || done.has(workflowId)) return;
    if (!workflowIdPattern.test(workflowId)) {
      log.warn({ workflowId: workflowId.slice(0, 200) }, 'run has no name for a file');
      done.add(workflowId);
      return;
    }
    const tail = tailRun(options, workflowId)
      .then((ended) => (ended ? done.add(workflowId) : done))
      .catch((error: unknown) => log.warn({ workflowId, error }, 'run is not mirrored'))
      .finally(() => tails.delete(workflowId));
    tails.set(workflowId, tail);
  };
  const takeInbox = async (): Promise<void> => {
    for (const name of await readdir(inbox)) start(name);
  };
  const watcher = watch(inbox, () => {
    takeInbox().catch((error: unknown) => log.warn({ error }, 'inbox cannot be read'));
  });
  try {
    // A run the server no longer knows shows up nowhere else: its mirror ends in a gap.
    for (const name of await readdir(root)) {
      if (name.startsWith('run-') && name.endsWith('.jsonl'))
        start(name.slice(0, -'.jsonl'.length));
    }
    for (let failures = 0; !signal.aborted;) {
      try {
        await takeInbox();
        for await (const workflowId of listRuns(options)) start(workflowId);
        failures = 0;
        await pause(sweepMs, signal);
      } catch (error) {
        failures += 1;
        log.warn({ error: String(error), failures }, 'runs cannot be listed');
        await pause(retryDelay(failures), signal);
      }
    }
  } finally {
    watcher.close();
    await Promise.all(tails.values());
  }
}

async function* listRuns({ service, namespace }: MirrorAll): AsyncGenerator<string> {
  let token: Uint8Array | undefined;
  do {
    const page = await service.listWorkflowExecutions({
      namespace,
      pageSize: 500,
      query: "WorkflowType = 'agentRun'",
      ...(token === undefined ? {} : { nextPageToken: token }),
    });
    for (const { execution } of page.executions ?? [])
      if (execution?.workflowId) yield execution.workflowId;
    token = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (token !== undefined);
}

/** True when there is nothing more to do about this run. */
async function tailRun(
  options: MirrorAll & { readonly history: HistoryService },
  workflowId: string,
): Promise<boolean> {
  const { root, inbox, signal, log, history: service } = options;
  const file = toRunLog(root, workflowId.replace(/^run-/, ''));
  const leaveInbox = (): void => {
    rm(join(inbox, workflowId), { force: true }).catch((error: unknown) =>
      log.warn({ error, workflowId }, 'inbox file stays'),
    );
  };
  if (await isClosed(file)) {
    leaveInbox();
    return true;
  }
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const onOpen = (): void => {
        leaveInbox();
        failures = 0;
      };
      await mirrorRun({ ...options, service, workflowId, file, onOpen });
      log.info({ workflowId }, 'run mirrored');
      return !signal.aborted;
    } catch (error) {
      if (signal.aborted) return false;
      if (
        error instanceof ChainError ||
        error instanceof MirrorMismatch ||
        error instanceof ChainLockedError
      ) {
        log.warn({ workflowId, file, error: error.message }, 'run is not mirrored');
        return !(error instanceof ChainLockedError);
      }
      // Announced but not started yet, or announced by a command that was killed in between.
      if (isNotFound(error) && failures > 20) {
        leaveInbox();
        return false;
      }
      log.warn({ workflowId, error: String(error), failures }, 'history cannot be read');
      await pause(retryDelay(failures), signal);
    }
  }
  return false;
}

/** gRPC status 5. */
const isNotFound = (error: unknown): boolean => (error as { code?: unknown }).code === 5;

const closeBytes = 4 * 1024;

/** Looks at the last line only: a `close` is short, and there may be thousands of files. */
async function isClosed(file: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, closeBytes));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    const line = bytes.toString('utf8').split('\n').at(-2) ?? '';
    return (JSON.parse(line) as { kind?: unknown }).kind === 'close' && bytes.at(-1) === 0x0a;
  } catch {
    return false; // No whole line in there: nothing that short was written last.
  } finally {
    await handle.close();
  }
}
