import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { isAlive, releaseLock, thisProcess, waitForLock } from '../../audit/record/lock.ts';
import { toWorkspaceName } from '../snapshots/snapshots.ts';
import { markName } from '../snapshots/git.ts';
import { killMarked } from '../sandbox/orphans.ts';
import { ifThere } from '../../audit/record/missing.ts';

/** The right to change a workspace: one run, through one process at a time. */
export interface Lease {
  readonly workspace: string;
  readonly run: string;
  /** Grows on every takeover; holders of an older epoch may not commit. */
  readonly epoch: number;
  /** Set in the environment of every process started under this lease. */
  readonly mark: string;
  /** The process holding it: pid, boot, start time. Absent until the run changes something. */
  readonly owner?: string;
}

/** The lease a tool call works under. */
export interface HeldLease extends Pick<Lease, 'mark'> {
  /** Call right before each effect: a suspended worker may have lost the lease. @throws LeaseLost */
  check(): void;
}

/** Another run has the workspace, or a folder above or below it. */
export class WorkspaceBusy extends Error {
  override readonly name = 'WorkspaceBusy';
  readonly run: string;

  constructor({ run, workspace }: Pick<Lease, 'run' | 'workspace'>) {
    super(`The workspace ${workspace} is in use by run ${run}.`);
    this.run = run;
  }
}

/** Another process took over the lease meanwhile; the work is not committed. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor(workspace: string) {
    super(`The lease of ${workspace} was taken over by another worker.`);
  }
}

export interface Leases {
  /** Gives a run its workspace. @throws WorkspaceBusy while an open run has it or one that overlaps. */
  claim(workspace: string, run: string, isOpen: (run: string) => Promise<boolean>): Promise<void>;
  /**
   * Makes this process the workspace's holder: kills what the previous holder left running and waits until it is gone.
   * Costs one read if nothing changed.
   */
  hold(workspace: string, run: string): Promise<Lease>;
  /** Checks that the lease is still current; another process may take it right after. @throws LeaseLost */
  check(lease: Lease): void;
  /** Runs `commit` only while the lease is current; no process can take it over in between. @throws LeaseLost */
  guard<T>(lease: Lease, commit: () => T): Promise<T>;
  /** Releases the run's leases. */
  release(run: string): Promise<void>;
  /** As `release`, for a run ended from outside: also kills the processes it left. */
  end(run: string): Promise<void>;
  /** Kills what dead holders left running. Returns the number of their leases. */
  sweep(): Promise<number>;
  list(): Lease[];
  /**
   * Runs `work` unless a lease conflicts; none can be taken meanwhile. `isHeld` tells whether its process lives.
   * Returns whether it ran.
   */
  whileFree(
    isInTheWay: (lease: Lease, isHeld: boolean) => boolean,
    work: () => void,
  ): Promise<boolean>;
}

const lockPatienceMs = 30_000;

/** Leases as small files in `root`, one per workspace. */
export function createLeases(root: string): Leases {
  const fileOf = (workspace: string): string => join(root, `${toWorkspaceName(workspace)}.json`);

  const list = (): Lease[] => {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    return readdirSync(root)
      .filter((name) => name.endsWith('.json'))
      .flatMap((name) => read(join(root, name)) ?? []);
  };

  const locked = async <T>(work: () => Promise<T> | T): Promise<T> => {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const lock = join(root, 'leases.lock');
    await waitForLock(lock, lockPatienceMs);
    try {
      return await work();
    } finally {
      releaseLock(lock);
    }
  };

  const check = (lease: Lease): void => {
    const now = read(fileOf(lease.workspace));
    if (now?.epoch !== lease.epoch || now.run !== lease.run) throw new LeaseLost(lease.workspace);
  };

  /** Conflicting leases of other, finished runs. @throws WorkspaceBusy if one is open. */
  const findOver = async (
    workspace: string,
    run: string,
    isOpen: (run: string) => Promise<boolean>,
  ): Promise<Lease[]> => {
    const inTheWay = list().filter(
      (other) => other.run !== run && overlaps(other.workspace, workspace),
    );
    for (const other of inTheWay) if (await isTaken(other, isOpen)) throw new WorkspaceBusy(other);
    return inTheWay;
  };

  return {
    list,
    check,
    async claim(workspace, run, isOpen) {
      // Checked before taking the lock, so as not to keep others waiting, and again under it.
      await findOver(workspace, run, isOpen);
      await locked(async () => {
        for (const other of await findOver(workspace, run, isOpen)) {
          await killMarked(markName, other.mark);
          rmSync(fileOf(other.workspace), { force: true });
        }
        const now = read(fileOf(workspace));
        if (now === undefined)
          write(fileOf(workspace), { workspace, run, epoch: 0, mark: randomUUID() });
      });
    },
    async hold(workspace, run) {
      const file = fileOf(workspace);
      const me = thisProcess();
      const known = read(file);
      if (known?.run === run && known.owner === me) return known;
      return await locked(async () => {
        const found = read(file);
        if (found !== undefined && found.run !== run) throw new WorkspaceBusy(found);
        if (found?.owner === me) return found;
        if (found?.owner !== undefined) await killMarked(markName, found.mark);
        const epoch = (found?.epoch ?? 0) + 1;
        const lease = { workspace, run, epoch, mark: randomUUID(), owner: me };
        write(file, lease);
        return lease;
      });
    },
    guard: (lease, commit) =>
      locked(() => {
        check(lease);
        return commit();
      }),
    release: (run) =>
      locked(() => {
        for (const lease of list())
          if (lease.run === run) rmSync(fileOf(lease.workspace), { force: true });
      }),
    end: (run) =>
      locked(async () => {
        for (const lease of list()) {
          if (lease.run !== run) continue;
          // Without its lease, the worker still running cannot commit.
          rmSync(fileOf(lease.workspace), { force: true });
          await killMarked(markName, lease.mark);
        }
      }),
    whileFree: (isInTheWay, work) =>
      locked(() => {
        if (list().some((lease) => isInTheWay(lease, isAlive(lease.owner ?? '')))) return false;
        work();
        return true;
      }),
    async sweep() {
      const left = list().filter(({ owner }) => owner !== undefined && !isAlive(owner));
      for (const { mark } of left) await killMarked(markName, mark);
      return left.length;
    },
  };
}

const read = (file: string): Lease | undefined =>
  ifThere(() => JSON.parse(readFileSync(file, 'utf8')) as Lease);

/** Work done by hand, such as an undo, is unknown to Temporal and lasts as long as its process. */
export const byHand = 'by-hand-';

const isTaken = async (
  { run, owner = '' }: Lease,
  isOpen: (run: string) => Promise<boolean>,
): Promise<boolean> => (run.startsWith(byHand) ? isAlive(owner) : await isOpen(run));

const overlaps = (a: string, b: string): boolean =>
  a === b || `${a}${sep}`.startsWith(`${b}${sep}`) || `${b}${sep}`.startsWith(`${a}${sep}`);

function write(file: string, lease: Lease): void {
  const temp = `${file}.tmp`;
  const fd = openSync(temp, 'w', 0o600);
  try {
    writeSync(fd, JSON.stringify(lease));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temp, file);
}
