import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { NetworkRequest } from '../../activities/network/proxy.ts';
import type { Effect, Budget, Verdict } from '../../policies/action.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import { formRedactor, redactValue } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Anchors } from './anchors/anchor.ts';
import { createAnchors } from './anchors/anchors.ts';
import { readChain } from './chain.ts';
import type { Head } from './line.ts';
import { releaseLock, waitForLock } from './lock.ts';
import { createFolder, openWriter } from './writer.ts';
import type { ChainWriter } from './writer.ts';

interface ActionEntry {
  /** RFC 3339. */
  readonly time: string;
  readonly run: string;
  readonly step: string;
  /** Number of the action within its run; `seq` belongs to the chain. */
  readonly action?: number;
  readonly tool: string;
  /** sha256 of the canonical action. */
  readonly digest: string;
  readonly verdict: Verdict;
  readonly rule: string;
  /** sha256 of the policy bundle that decided. */
  readonly policy: string;
  readonly effect: Effect;
  readonly preview: string;
  /** Name of the hook that caused it. */
  readonly hook?: string;
  readonly approver?: string;
  readonly ok?: boolean;
  readonly exitCode?: number;
  readonly ms?: number;
  readonly bytes?: number;
  /** Blob ref of the observation. */
  readonly observation?: string;
  /** Workspace snapshot afterwards. */
  readonly tree?: string;
  /** Number of secrets redacted from the result. */
  readonly redacted?: number;
  /** Where the observation seems to give orders to its reader; the text is not repeated here. */
  readonly suspicious?: readonly Suspicion[];
}

/** An audit log entry. Content stays in the blob store; a log line is for people. */
export type AuditEntry =
  | ({ readonly kind: 'decision' | 'intent' | 'outcome' } & ActionEntry)
  /**
   * An attempt was interrupted and the workspace reverted to `tree` before the next. `cut` is what it left behind,
   * `left` the part no snapshot holds.
   */
  | ({
      readonly kind: 'rollback';
      readonly cut?: string;
      readonly left?: readonly string[];
    } & ActionEntry)
  /** An attempt was interrupted and must not be repeated; a person is asked what happened. */
  | ({ readonly kind: 'unknown' } & ActionEntry)
  | {
      readonly kind: 'settlement';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly action?: number;
      readonly request: string;
      readonly digest: string;
      readonly what: 'happened' | 'not';
      readonly by: string;
      readonly reason?: string;
      /** Id of the signing key. */
      readonly key?: string;
      /** Why it is invalid. */
      readonly refused?: string;
    }
  | {
      readonly kind: 'approval';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly request: string;
      readonly digest: string;
      readonly answer: 'approve' | 'deny';
      readonly by: string;
      readonly reason?: string;
      /** Blob of the arguments a person wrote in place of the model's. */
      readonly edited?: string;
      /** Id of the signing key. */
      readonly key?: string;
      /** Why it is invalid. */
      readonly refused?: string;
    }
  /** One network request, allowed or refused, of the action with this digest. */
  | ({
      readonly kind: 'network';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly digest: string;
    } & NetworkRequest)
  /** Settings in the workspace's git that would start programs or lead elsewhere, as found at the start. */
  | {
      readonly kind: 'git-settings';
      readonly time: string;
      readonly run: string;
      readonly settings: readonly string[];
    }
  /** A staged run's change is applied to `target`; `begun` is synced before the effect. */
  | {
      readonly kind: 'promotion';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly by: string;
      readonly target: string;
      readonly mode: 'patch' | 'commit';
      readonly state: 'begun' | 'promoted' | 'conflict' | 'refused';
      /** Paths that changed or conflict, at most 50. */
      readonly paths?: readonly string[];
      readonly reason?: string;
      readonly commit?: string;
      /** Snapshots of the target before and after. */
      readonly before?: string;
      readonly after?: string;
      /** It had already been applied. */
      readonly again?: true;
    }
  /** Hooks the run must pass, as they were at its start. */
  | {
      readonly kind: 'hooks';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly sha256: string;
      readonly names: readonly string[];
    }
  /** An invalid message to a run. */
  | {
      readonly kind: 'message';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly what: string;
      readonly by: string;
      readonly refused: string;
    }
  /** Someone other than the operator requested work, and the worker refused. */
  | {
      readonly kind: 'refusal';
      readonly time: string;
      readonly run: string;
      /** Temporal's run id of the execution. */
      readonly execution: string;
      /** The first activity it requested. */
      readonly activity: string;
      readonly why: string;
    }
  /** A run ended. */
  | {
      readonly kind: 'end';
      readonly time: string;
      readonly run: string;
      readonly status: string;
      /** First line of its summary. */
      readonly why: string;
      /** The limit that ended it. */
      readonly limit?: Budget;
    }
  | {
      readonly kind: 'policy';
      readonly time: string;
      readonly sha256: string;
      readonly by: string;
      /** Folder it was read from. */
      readonly dir?: string;
      /** sha256 of the previous bundle. */
      readonly previous?: string;
      /** Ids of the `always` rules a person added with it, or removed. */
      readonly added?: readonly string[];
      readonly removed?: readonly string[];
    };

/** First record of a day's file: how the day before ended, so that no day can be dropped unnoticed. */
export interface LinkRecord {
  readonly kind: 'link';
  /** File name of the day before. */
  readonly previous: string;
  /** Hash of its last record. */
  readonly head: string;
}

/** The audit log: one chained file per day, which several processes may append to. */
export interface AuditLog {
  /**
   * Durable when it resolves. Concurrent appends share a write. @throws ChainError if the day's file was changed;
   * ChainLockedError if it stays locked for 10 seconds.
   */
  append(entry: AuditEntry): Promise<Head>;
  /**
   * Whether today or the day before has an entry with these fields. Reads both days: only for recovery after a crash.
   */
  has(fields: Readonly<Record<string, unknown>>): Promise<boolean>;
  /** Waits for pending appends and closes the day's file; a later append reopens it. */
  close(): Promise<void>;
}

interface Waiting {
  readonly entry: AuditEntry;
  readonly resolve: (head: Head) => void;
  readonly reject: (error: unknown) => void;
}

/** Longer than any batch, and than verifying a day's file on opening. */
const lockPatienceMs = 10_000;
const dayFile = /^\d{4}-\d\d-\d\d\.jsonl$/;

/** File names of the days in the audit folder, oldest first. */
export const readDays = async (dir: string): Promise<string[]> =>
  (await readdir(dir)).filter((name) => dayFile.test(name)).toSorted();

/** Identity of a day's chain, from its file name. */
export const toDayIdentity = (name: string): string => `audit ${name.slice(0, 10)}`;

const openDay = (dir: string, name: string, anchors: Anchors): Promise<ChainWriter> =>
  openWriter(join(dir, name), toDayIdentity(name), anchors.of(name));

const readLink = async (dir: string, previous: string, anchors: Anchors): Promise<LinkRecord> => {
  const writer = await openDay(dir, previous, anchors);
  try {
    await writer.catchUp();
    return { kind: 'link', previous, head: writer.head.hash };
  } finally {
    await writer.close();
  }
};

/**
 * Opens nothing before the first append. `now` gives the day (UTC); anchors are kept beside the folder. Entries are
 * redacted.
 */
export const createAuditLog = (
  dir: string,
  now: () => Date = () => new Date(),
  anchors: Anchors = createAnchors(dirname(dir)),
  redactor: Pick<Redactor, 'redact'> = formRedactor,
): AuditLog => {
  // One lock for all days: once the next day links to a day's head, no entry can reach that day.
  const lock = `${dir}.lock`;
  let day: { readonly name: string; readonly writer: ChainWriter } | undefined;
  let queue: Waiting[] = [];
  let working: Promise<void> | undefined;

  const leaveDay = async (): Promise<void> => {
    const left = day;
    day = undefined;
    await left?.writer.close();
  };

  const enterDay = async (): Promise<ChainWriter> => {
    const today = `${now().toISOString().slice(0, 10)}.jsonl`;
    if (day !== undefined && today <= day.name && !(await day.writer.isGone())) return day.writer;
    await leaveDay();
    await createFolder(dir);
    const days = await readDays(dir);
    // A clock set back must not reopen a day that the next one has linked to.
    const name = [today, ...days].toSorted().at(-1) ?? today;
    day = { name, writer: await openDay(dir, name, anchors) };
    return day.writer;
  };

  const write = async (entries: readonly AuditEntry[]): Promise<readonly Head[]> => {
    await createFolder(dirname(dir));
    await waitForLock(lock, lockPatienceMs);
    try {
      const writer = await enterDay();
      await writer.catchUp();
      if (writer.hasRecords) return await writer.append(entries);
      const previous = (await readDays(dir)).filter((name) => name < (day?.name ?? '')).at(-1);
      if (previous === undefined) return await writer.append(entries);
      return (await writer.append([await readLink(dir, previous, anchors), ...entries])).slice(1);
    } catch (error) {
      // The next append examines whatever is wrong with the file.
      await leaveDay();
      throw error;
    } finally {
      releaseLock(lock);
    }
  };

  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      try {
        const heads = await write(batch.map(({ entry }) => entry));
        for (const [at, { resolve, reject }] of batch.entries()) {
          const head = heads[at];
          if (head === undefined) reject(new Error('The audit log lost count of its entries.'));
          else resolve(head);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    working = undefined;
  };

  return {
    append: (entry) =>
      new Promise((resolve, reject) => {
        queue.push({ entry: redactValue(redactor, entry), resolve, reject });
        working ??= work();
      }),
    async has(fields) {
      const wanted = Object.entries(fields);
      for (const name of (await readDays(dir).catch(() => [])).slice(-2)) {
        for await (const record of readChain(join(dir, name)))
          if (wanted.every(([key, value]) => record[key] === value)) return true;
      }
      return false;
    },
    async close() {
      await working;
      await leaveDay();
    },
  };
};
