import { existsSync, watch } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toRunLog } from '../../config/folders.ts';
import type { Anchors } from '../record/anchors/anchor.ts';
import { ChainError, ChainLockedError } from '../record/chain.ts';
import { clearDeadLock } from '../record/lock.ts';
import type { HistoryService } from './history-service.ts';
import type { MirrorLog } from './mirror.ts';
import { MirrorMismatch, mirrorRun, pause, retryDelay } from './mirror.ts';
import { limitPolls } from './polls.ts';

export interface ListService extends HistoryService {
  listWorkflowExecutions(request: {
    namespace: string;
    pageSize: number;
    query: string;
    nextPageToken?: Uint8Array;
  }): Promise<{
    executions?:
      | readonly { execution?: { workflowId?: string | null; runId?: string | null } | null }[]
      | null;
    nextPageToken?: Uint8Array | null;
  }>;
}

export interface MirrorAll {
  readonly service: ListService;
  readonly namespace: string;
  /** State folder. */
  readonly root: string;
  /** A file here, named by workflow id, requests a mirror at once; removed once the mirror has its header. */
  readonly inbox: string;
  readonly signal: AbortSignal;
  readonly log: MirrorLog;
  readonly version: string;
  readonly sdk?: string;
  readonly readServerVersion?: () => Promise<string | undefined>;
  readonly anchors: Anchors;
}

const sweepMs = 10_000;
/** Each open run holds a long poll of up to 20 s; beyond this many they take turns. */
const mostPolls = 256;
/** An id becomes a file name, and anyone who can start a workflow chooses it. */
const workflowIdPattern = /^run-[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Mirrors every run of the namespace until `signal` fires: announced runs at once, others as soon as visibility lists
 * them, and unfinished mirrors. A tampered file is reported once and left alone.
 */
export async function mirrorAll(given: MirrorAll): Promise<void> {
  const { root, inbox, signal, log } = given;
  const history = limitPolls(given.service, mostPolls);
  const options = { ...given, history };
  await mkdir(inbox, { recursive: true, mode: 0o700 });
  const tails = new Map<string, Promise<unknown>>();
  /** Finished runs and their latest execution at that time: a reset adds another. */
  const done = new Map<string, string | undefined>();
  const isDone = (workflowId: string, latest: string | undefined): boolean =>
    done.has(workflowId) && (latest === undefined || done.get(workflowId) === latest);
  const start = (workflowId: string, latest?: string): void => {
    if (tails.has(workflowId) || isDone(workflowId, latest)) return;
    if (!workflowIdPattern.test(workflowId)) {
      log.warn({ workflowId: workflowId.slice(0, 200) }, 'run has no name for a file');
      done.set(workflowId, latest);
      return;
    }
    const tail = tailRun(options, workflowId, latest)
      .then((ended) => (ended ? done.set(workflowId, latest) : done))
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
    // A run the server has forgotten is listed nowhere else: its mirror ends in a gap.
    for (const name of await readdir(root)) {
      if (name.startsWith('run-') && name.endsWith('.jsonl'))
        start(name.slice(0, -'.jsonl'.length));
    }
    for (let failures = 0; !signal.aborted;) {
      try {
        await takeInbox();
        for (const [workflowId, latest] of await listRuns(options)) start(workflowId, latest);
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

/** Every run with its latest execution: open ones first, then the most recently closed. */
async function listRuns({ service, namespace }: MirrorAll): Promise<Map<string, string>> {
  const runs = new Map<string, string>();
  let token: Uint8Array | undefined;
  do {
    const page = await service.listWorkflowExecutions({
      namespace,
      pageSize: 500,
      query: "WorkflowType = 'agentRun'",
      nextPageToken: token,
    });
    for (const { execution } of page.executions ?? []) {
      const { workflowId, runId } = execution ?? {};
      if (workflowId && !runs.has(workflowId)) runs.set(workflowId, runId ?? '');
    }
    token = page.nextPageToken?.length ? page.nextPageToken : undefined;
  } while (token !== undefined);
  return runs;
}

/** True if the run's mirror is finished. */
async function tailRun(
  options: MirrorAll & { readonly history: HistoryService },
  workflowId: string,
  latest: string | undefined,
): Promise<boolean> {
  const { root, inbox, signal, log, history: service } = options;
  const file = toRunLog(root, workflowId.replace(/^run-/, ''));
  const leaveInbox = (): void => {
    rm(join(inbox, workflowId), { force: true }).catch((error: unknown) =>
      log.warn({ error, workflowId }, 'inbox file stays'),
    );
  };
  const closed = await readClose(file);
  if (closed !== undefined && [undefined, closed.execution].includes(latest || undefined)) {
    leaveInbox();
    // Left by a mirror killed right after its last line.
    clearDeadLock(`${file}.lock`);
    return true;
  }
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const onOpen = (): void => {
        leaveInbox();
        failures = 0;
      };
      await mirrorRun({
        ...options,
        service,
        workflowId,
        file,
        onOpen,
        latest: latest ? latest : undefined,
      });
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
      // Announced but not started yet, or the announcing command was killed.
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

/** The record that closed a log. Reads only the last line: a `close` is short, and there may be thousands of files. */
async function readClose(file: string): Promise<{ readonly execution?: string } | undefined> {
  if (!existsSync(file)) return undefined;
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, closeBytes));
    await handle.read(bytes, 0, bytes.length, size - bytes.length);
    const line = bytes.toString('utf8').split('\n').at(-2) ?? '';
    const record = JSON.parse(line) as { kind?: unknown; execution?: string };
    return record.kind === 'close' && bytes.at(-1) === 0x0a ? record : undefined;
  } catch {
    return undefined; // No whole line in there: nothing that short was written last.
  } finally {
    await handle.close();
  }
}
