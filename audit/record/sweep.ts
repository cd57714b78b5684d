/** Removes blobs that no record names any more, such as those of deleted runs. */
import { open, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { toStateFolders } from '../../config/folders.ts';
import { createBlobStore } from './blobs.ts';
import { scanChain } from './chain.ts';
import { readDays, toDayIdentity } from './log.ts';
import type { MirrorLog } from '../mirror/mirror.ts';
import { findMentions, findRefs } from './refs.ts';
import { ifMissing } from './missing.ts';

const dayMs = 86_400_000;
/** A blob is stored before the record that names it, so a young one may be about to be named. */
export const graceMs = 7 * dayMs;
/** Lets a mirror that was down catch up before its logs are used. */
const firstMs = 10 * 60_000;
/** A run's blobs precede its log, so a log further behind does not name all of them. */
const mostBehindMs = 3_600_000;
const chunkBytes = 1 << 18;
/** Length of a ref minus one: what may straddle two chunks. */
const overlapBytes = 'sha256:'.length + 63;

export interface SweepOrder {
  /** State folder. */
  readonly root: string;
  /** Younger blobs are kept, named or not. */
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
  /** Pause after each piece of work. */
  readonly restMs?: number;
}

export interface Swept {
  readonly kept: number;
  readonly removed: number;
  readonly bytes: number;
  /** Runs with closed logs, and when they closed, in milliseconds. */
  readonly closed: ReadonlyMap<string, number>;
}

/** A log is incomplete or out of date: which blobs it needs is unknown, so none is removed. */
export class SweepError extends Error {
  override readonly name = 'SweepError';
}

type Rest = () => Promise<void>;

interface Marked {
  readonly refs: ReadonlySet<string>;
  readonly closed: ReadonlyMap<string, number>;
}

/**
 * Removes blobs older than the grace period that no run log and no audit day names, directly or through other blobs.
 * Removals are independent, so it may be killed at any point. @throws SweepError
 */
export async function sweepBlobs({
  root,
  graceMs: grace = graceMs,
  signal,
  restMs = 0,
}: SweepOrder): Promise<Swept> {
  const rest = async (): Promise<void> => {
    await setTimeout(restMs, undefined, { signal });
  };
  const { blobs } = toStateFolders(root);
  const before = Date.now() - grace;
  const { refs, closed } = await markRefs(root, rest);
  let [kept, removed, bytes] = [0, 0, 0];
  for await (const { file, ref } of readStore(blobs)) {
    signal?.throwIfAborted();
    const found = await stat(file).catch(() => undefined);
    if (found === undefined) continue;
    if ((ref !== undefined && refs.has(ref)) || found.mtimeMs > before) {
      kept += 1;
      continue;
    }
    await rm(file, { force: true });
    removed += 1;
    bytes += found.size;
    if (removed % 100 === 0) await rest();
  }
  return { kept, removed, bytes, closed };
}

/** Files of the store; one without a ref was never finished. */
async function* readStore(
  folder: string,
): AsyncGenerator<{ readonly file: string; readonly ref?: string }> {
  for (const first of await namesIn(join(folder, 'sha256'))) {
    for (const name of await namesIn(join(folder, 'sha256', first))) {
      const file = join(folder, 'sha256', first, name);
      yield /^[0-9a-f]{62}$/.test(name) ? { file, ref: `sha256:${first}${name}` } : { file };
    }
  }
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(ifMissing([]));

/** Every ref that a record names, and transitively every ref those blobs mention. */
async function markRefs(root: string, rest: Rest): Promise<Marked> {
  const { refs, closed } = await readLogs(root, rest);
  const store = createBlobStore(toStateFolders(root).blobs);
  const todo = [...refs];
  for (let ref = todo.pop(), read = 1; ref !== undefined; ref = todo.pop(), read++) {
    for (const mention of await readMentions(store.pathOf(ref))) {
      if (refs.has(mention)) continue;
      refs.add(mention);
      todo.push(mention);
    }
    if (read % 100 === 0) await rest();
  }
  return { refs, closed };
}

/** Refs in a blob, which may be larger than memory; empty if there is no such blob. */
async function readMentions(file: string): Promise<Set<string>> {
  const found = new Set<string>();
  const handle = await open(file, 'r').catch(ifMissing(undefined));
  if (handle === undefined) return found;
  try {
    let left = Buffer.alloc(0);
    for (;;) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes);
      if (bytesRead === 0) return found;
      const text = Buffer.concat([left, buffer.subarray(0, bytesRead)]);
      for (const ref of findMentions(text)) found.add(ref);
      left = text.subarray(Math.max(text.length - overlapBytes, 0));
    }
  } finally {
    await handle.close();
  }
}

/** When each run last did something, in milliseconds. */
type LastSeen = Map<string, number>;

const runLog = /^run-(.+)\.jsonl$/;

async function readLogs(
  root: string,
  rest: Rest,
): Promise<{ readonly refs: Set<string>; readonly closed: Map<string, number> }> {
  const refs = new Set<string>();
  const closed = new Map<string, number>();
  const mirrored: LastSeen = new Map();
  const acted: LastSeen = new Map();
  const { audit } = toStateFolders(root);
  const days = (await namesIn(audit)).length === 0 ? [] : await readDays(audit);
  // Days first: anything a run does after that only makes its log younger.
  for (const name of days) {
    await readLog(join(audit, name), toDayIdentity(name), refs, ({ run, time }) => {
      if (typeof run === 'string') acted.set(run, Date.parse(String(time)));
    });
    await rest();
  }
  for (const name of await namesIn(root)) {
    const run = runLog.exec(name)?.[1];
    if (run === undefined) continue;
    await readLog(join(root, name), `run ${run}`, refs, ({ kind, time }) => {
      if (typeof time === 'string') mirrored.set(run, Date.parse(time));
      if (kind === 'close') closed.set(run, Date.parse(String(time)));
      else closed.delete(run);
    });
    await rest();
  }
  for (const [run, last] of acted) {
    if (last - (mirrored.get(run) ?? Infinity) > mostBehindMs)
      throw new SweepError(
        `The log of run ${run} ends before what the run did: blobs it needs are not named in it yet.`,
      );
  }
  return { refs, closed };
}

async function readLog(
  file: string,
  identity: string,
  refs: Set<string>,
  see: (record: Readonly<Record<string, unknown>>) => void,
): Promise<void> {
  const found = await scanChain(file, identity, (record, text) => {
    // A false match keeps one blob too many; a missed one would lose data.
    for (const ref of [...findRefs(text), ...findMentions(Buffer.from(text))]) refs.add(ref);
    see(record);
  }).catch((error: unknown) => {
    throw new SweepError(`${basename(file)} cannot be read: ${String(error)}`);
  });
  if (found.kind === 'bad')
    throw new SweepError(`${basename(file)}, line ${found.line}: ${found.why}`);
}

/** Sweeps soon after start and then daily, at low load, until `signal` fires. `prune` gets the closed runs. */
export async function keepSwept(
  {
    root,
    signal,
    log,
  }: { readonly root: string; readonly signal: AbortSignal; readonly log: MirrorLog },
  prune: (closed: ReadonlyMap<string, number>) => Promise<void>,
): Promise<void> {
  for (let waitMs = firstMs; ; waitMs = dayMs) {
    try {
      await setTimeout(waitMs, undefined, { signal, ref: false });
      const { closed, ...swept } = await sweepBlobs({ root, signal, restMs: 20 });
      await prune(closed);
      log.info(swept, 'blobs swept');
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ error: String(error) }, 'blobs are not swept');
    }
  }
}
