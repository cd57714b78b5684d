/** Disks that are full for some seconds: small ones of their own, in memory. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { within } from '../world.ts';
import type { Running, WorldOptions } from '../world.ts';

const fullMs = 6_000;

function mount(folder: string, megabytes: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'chaos', folder], {
    stdio: 'ignore',
  });
}

const unmount = (folder: string): unknown =>
  execFileSync('umount', ['-l', folder], { stdio: 'ignore' });

function findProblem(): { readonly untried?: string } {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-mount-'));
  try {
    mount(folder, 1);
    unmount(folder);
    return {};
  } catch {
    return { untried: 'a small tmpfs cannot be mounted here (it takes root with mount rights)' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes every byte that is left. Returns how to give them back. */
function fill(folder: string): () => void {
  const file = join(folder, 'filler');
  const fd = openSync(file, 'w');
  try {
    for (let block = 1 << 20; block > 0;) {
      try {
        if (writeSync(fd, Buffer.alloc(block)) < block) block >>= 1;
      } catch {
        block >>= 1;
      }
    }
  } finally {
    closeSync(fd);
  }
  return () => rmSync(file, { force: true });
}

/** Fills the disk for some seconds and returns how long the run took to go on afterwards. */
async function fillFor(folder: string, run: Running): Promise<number> {
  const free = fill(folder);
  try {
    await setTimeout(fullMs);
  } finally {
    free();
  }
  const freed = Date.now();
  await run.check(120_000);
  return await run.recovery(freed);
}

/** Record, snapshots, leases and Temporal's database cannot grow. */
export const diskFullState: Fault = {
  name: 'disk-full-state',
  where: 'state folder, for 6 s',
  occasions: 3,
  ...findProblem(),
  async strike(world, id, occasion) {
    const options: WorldOptions = {
      before: ({ state }) => mount(state, 96),
      after: ({ state }) => unmount(state),
    };
    return await within(world, options, async (own) => {
      const run = own.begin(id);
      await run.progress(occasion * 3 + 1);
      return await fillFor(own.machine.state, run);
    });
  },
};

/** The model is told, and tries again until there is room. */
export const diskFullWorkspace: Fault = {
  name: 'disk-full-workspace',
  where: 'workspace, for 6 s',
  occasions: 1,
  ...findProblem(),
  async strike(world, id) {
    return await within(world, {}, async (own) => {
      await own.learn('stubborn');
      const workspace = join(own.machine.root, id);
      mount(workspace, 4);
      try {
        const run = own.begin(id, 'stubborn', workspace);
        return await fillFor(workspace, run);
      } finally {
        unmount(workspace);
      }
    });
  },
};
