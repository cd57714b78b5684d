import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Effect, Meter, Verdict } from '../../policies/action.ts';
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
  /** Number of the action within its run; `seq` is the chain's own. */
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
  /** Name of the hook that ran it. */
  readonly hook?: string;
  readonly approver?: string;
  readonly ok?: boolean;
  readonly exitCode?: number;
  readonly ms?: number;
  readonly bytes?: number;
  /** Ref of the observation's blob. */
  readonly observation?: string;
  /** Snapshot of the workspace after it. */
  readonly tree?: string;
  /** Secrets taken out of what it returned. */
  readonly redacted?: number;
  /** Where the observation's text tries to give orders to its reader; its words are not repeated here. */
  readonly suspicious?: readonly Suspicion[];
}

/** What the audit log says. Content stays in the blob store; a log line is what a person reads. */
export type AuditEntry =
  | ({ readonly kind: 'decision' | 'intent' | 'outcome' } & ActionEntry)
  /** An attempt was cut short; the workspace was reverted to `tree` before the next. `cut` is what it had left, `left` what of it no snapshot holds. */
  | ({
      readonly kind: 'rollback';
      readonly cut?: string;
      readonly left?: readonly string[];
    } & ActionEntry)
  /** An attempt was cut short and may not be repeated; a person is asked what became of it. */
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
      /** Id of the key it is signed with. */
      readonly key?: string;
      /** Why it does not count. */
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
      /** Arguments a person wrote in place of the model's: a blob. */
      readonly edited?: string;
      /** Id of the key it is signed with. */
      readonly key?: string;
      /** Why it does not count. */
      readonly refused?: string;
    }
  /** One request, allowed or refused, of the action with this digest. */
  | {
      readonly kind: 'network';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly digest: string;
      readonly method: string;
      readonly host: string;
      readonly port: number;
      readonly verdict: Verdict;
      readonly rule: string;
      readonly reason: string;
      readonly addresses?: readonly string[];
    }
  /** What stands in the settings of a workspace's git that would start programs or lead elsewhere, as the run found it. */
  | {
      readonly kind: 'git-settings';
      readonly time: string;
      readonly run: string;
      readonly settings: readonly string[];
    }
  /** The change of a staged run is applied to `target`; `begun` is synced before the effect. */
  | {
      readonly kind: 'promotion';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly by: string;
      readonly target: string;
      readonly mode: 'patch' | 'commit';
      readonly state: 'begun' | 'promoted' | 'conflict' | 'refused';
      /** What changed, or stands in the way, at most 50. */
      readonly paths?: readonly string[];
      readonly reason?: string;
      readonly commit?: string;
      /** Snapshots of the target from before and after. */
      readonly before?: string;
      readonly after?: string;
      /** It had been applied before. */
      readonly again?: true;
    }
  /** What a run has to leave green, as it was when the run began. */
  | {
      readonly kind: 'hooks';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly sha256: string;
      readonly names: readonly string[];
    }
  /** A message to a run that does not count. */
  | {
      readonly kind: 'message';
      readonly time: string;
      readonly run: string;
      readonly step: string;
      readonly what: string;
      readonly by: string;
      readonly refused: string;
    }
  /** Somebody other than the operator wanted something carried out: the worker did not. */
  | {
      readonly kind: 'refusal';
      readonly time: string;
      readonly run: string;
      /** Temporal's id of the execution. */
      readonly execution: string;
      /** What it asked for first. */
      readonly activity: string;
      readonly why: string;
    }
  /** A run is over. */
  | {
      readonly kind: 'end';
      readonly time: string;
      readonly run: string;
      readonly status: string;
      /** First line of its summary. */
      readonly why: string;
      /** The limit that ended it. */
      readonly limit?: Meter;
    }
  | {
      readonly kind: 'policy';
      readonly time: string;
      readonly sha256: string;
      readonly by: string;
      /** Folder it was read from. */
      readonly dir?: string;
      /** sha256 of the bundle before it. */
      readonly previous?: string;
      /** Ids of the rules that a person allowed always with it, or took back. */
      readonly added?: readonly string[];
      readonly removed?: readonly string[];
    };

/** First record of a day's file: what the day before ended with, so that no day can be dropped unseen. */
export interface LinkRecord {
  readonly kind: 'link';
  /** File name of the day before. */
  readonly previous: string;
  /** Hash of its last record. */
  readonly head: string;
}

/** The audit log: a chained file a day, which several processes may append to. */
export interface AuditLog {
  /**
   * Durable when it resolves. Entries appended at the same time share a write.
   * @throws ChainError when the day's file was changed; ChainLockedError when it stays locked for 10 seconds.
   */
  append(entry: AuditEntry): Promise<Head>;
  /** Whether today or the day before has an entry with these fields. Reads both days: for the rare way after a crash. */
  has(fields: Readonly<Record<string, unknown>>): Promise<boolean>;
  /** Waits for appends under way and closes the day's file; a later append opens it again. */
  close(): Promise<void>;
}

interface Waiting {
  readonly entry: AuditEntry;
  readonly resolve: (head: Head) => void;
  readonly reject: (error: unknown) => void;
}

/** Longer than any batch takes, and than verifying a day's file when a process opens it. */
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
 * Opens nothing until the first append. `now` gives the day (UTC); anchors are kept beside the folder. Secrets are taken
 * out of every entry.
 */
export const createAuditLog = (
  dir: string,
  now: () => Date = () => new Date(),
  anchors: Anchors = createAnchors(dirname(dir)),
  redactor: Pick<Redactor, 'redact'> = formRedactor,
): AuditLog => {
  // One lock for all days: no entry can reach a day's file once the next day has linked to its head.
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
    // A clock set back does not reopen a day that the next one has linked to.
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
      // Whatever is wrong with the file is looked at afresh by the next append.
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
