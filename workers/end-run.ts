/** Process entry: cleans up after a run that was ended by force. Needs neither server nor worker. */
import { text } from 'node:stream/consumers';
import { removeLanes } from '../activities/act/lanes.ts';
import { createTransactions } from '../activities/act/transactions.ts';
import { createLeases } from '../activities/files/lease.ts';
import { createBlobStore } from '../audit/record/blobs.ts';
import { createAuditLog } from '../audit/record/log.ts';
import { readSettings } from '../config/environment.ts';

export interface EndOrder {
  readonly run: string;
  readonly why: string;
}

export interface EndAnswer {
  /** Folders it no longer holds. */
  readonly freed: readonly string[];
  /** What could not be cleaned up, as sentences. */
  readonly problems: readonly string[];
}

const { run, why } = JSON.parse(await text(process.stdin)) as EndOrder;
const { folders } = readSettings();
const leases = createLeases(folders.leases);
const freed = leases.list().flatMap((lease) => (lease.run === run ? [lease.workspace] : []));
const problems: string[] = [];

/** A failed cleanup does not stop the others. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    problems.push((error as Error).message);
  }
}

await attempt(() => leases.end(run));
await attempt(() => {
  const blobs = createBlobStore(folders.blobs);
  const transactions = createTransactions(leases, folders.snapshots);
  return removeLanes({ blobs, transactions, copiesDir: folders.copies }, run);
});
await attempt(async () => {
  const audit = createAuditLog(folders.audit);
  try {
    if (await audit.has({ kind: 'end', run })) return;
    const time = new Date().toISOString();
    await audit.append({ kind: 'end', time, run, status: 'cancelled', why: why.slice(0, 300) });
  } finally {
    await audit.close();
  }
});
process.stdout.write(`${JSON.stringify({ freed, problems } satisfies EndAnswer)}\n`);
