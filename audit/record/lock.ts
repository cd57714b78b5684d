import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

import { isRunning, readStartTime } from '../../config/process.ts';
import type { ProcessId } from '../../config/process.ts';
import { ifThere } from './missing.ts';

/** Another process, or another part of this one, is writing the file. */
export class ChainLockedError extends Error {
  override readonly name = 'ChainLockedError';
  readonly pid: number;

  constructor(lock: string, pid: number) {
    super(
      `${lock.replace(/\.lock$/, '')} is being written by process ${pid}; only one may write it. ` +
        `Wait until that process ends, or end it (kill ${pid}).`,
    );
    this.pid = pid;
  }
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

const readOwner = (lock: string): string | undefined => ifThere(() => readlinkSync(lock));

const parseOwner = (text: string): ProcessId => {
  const [pid = '', , ...startTime] = text.split(' ');
  return { pid: Number(pid), startTime: startTime.join(' ') };
};

/** If the kernel does not tell, only the start time distinguishes processes. */
const readBoot = (): string => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '-';
  }
};

let own: string | undefined;

/** Identifies this process for good by pid, boot and start time, since pids and ticks recur after a boot. */
export const thisProcess = (): string => {
  own ??= `${process.pid} ${readBoot()} ${readStartTime(process.pid) ?? ''}`;
  return own;
};

/** True while the process that `thisProcess` named runs. */
export const isAlive = (owner: string): boolean =>
  owner.split(' ')[1] === readBoot() && isRunning(parseOwner(owner));

/**
 * Removes a dead process's lock. Two processes may find it at once, and the slower must not remove the faster one's
 * fresh lock: the remover holds a lock named after the dead owner and checks again.
 */
const removeStale = (lock: string, owner: string): ProcessId | undefined => {
  const claim = `${lock}.${createHash('sha256').update(owner).digest('hex').slice(0, 8)}`;
  const claimant = tryLock(claim);
  if (claimant !== undefined) return claimant;
  try {
    if (readOwner(lock) === owner) unlinkSync(lock);
  } finally {
    unlinkSync(claim);
  }
  return undefined;
};

/**
 * Takes the lock (undefined), or returns its owner. A lock is a symlink whose target is its owner's pid and start time:
 * one call creates it and names its owner, whenever a process is killed.
 */
const tryLock = (lock: string): ProcessId | undefined => {
  for (;;) {
    try {
      symlinkSync(thisProcess(), lock);
      return undefined;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const owner = readOwner(lock);
    if (owner === undefined) continue;
    const id = parseOwner(owner);
    if (isAlive(owner)) return id;
    const claimant = removeStale(lock, owner);
    if (claimant !== undefined) return claimant;
  }
};

/** Takes the lock or throws at once. @throws ChainLockedError naming the process that has it. */
export const takeLock = (lock: string): void => {
  const owner = tryLock(lock);
  if (owner !== undefined) throw new ChainLockedError(lock, owner.pid);
};

/** Takes the lock once it is free. @throws ChainLockedError if it is not free within `patienceMs`. */
export const waitForLock = async (lock: string, patienceMs: number): Promise<void> => {
  const deadline = Date.now() + patienceMs;
  for (let delay = 1; ; delay = Math.min(delay * 2, 16)) {
    const owner = tryLock(lock);
    if (owner === undefined) return;
    if (Date.now() > deadline) throw new ChainLockedError(lock, owner.pid);
    // Jitter, so that waiters do not collide again.
    await setTimeout(1 + Math.random() * delay);
  }
};

/** Removes the lock of a dead process, for callers that have nothing to write. */
export const clearDeadLock = (lock: string): void => {
  const owner = readOwner(lock);
  if (owner !== undefined && !isAlive(owner)) removeStale(lock, owner);
};

/** Releases the lock if this process still holds it. */
export const releaseLock = (lock: string): void => {
  if (readOwner(lock) === thisProcess()) unlinkSync(lock);
};
