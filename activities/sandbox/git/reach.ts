import { closeSync, constants, openSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';

/** `O_PATH` (open(2)): references a folder without opening it. Not in Node's constants; the same on x64 and arm64. */
const oPath = 0o10000000;
const folderFlags = oPath | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Longest path for one kernel call. Deeper paths are reached from an open folder on the way. */
const maxPathBytes = 3_500;
const maxOpen = 64;

/** Kernel addresses for paths below a folder, of any length and in any bytes. */
export interface Reach {
  /** Absolute path of the folder, one character per byte. */
  readonly root: BytePath;
  /** Valid until the next call; '' is the folder itself. */
  address(path: BytePath): string | Buffer;
  close(): void;
}

/** A string if equivalent, because it is faster. */
// oxlint-disable-next-line no-control-regex
const toAddress = (path: BytePath): string | Buffer =>
  /^[\0-\x7f]*$/.test(path) ? path : Buffer.from(path, 'latin1');

export const toBytes = (path: string): BytePath => Buffer.from(path).toString('latin1');

export function openReach(folder: string): Reach {
  const root = toBytes(folder);
  /** By folder path. */
  const open = new Map<BytePath, number>();

  function enter(whole: BytePath, address: BytePath): number {
    const known = open.get(whole);
    const fd = known ?? openSync(toAddress(address), folderFlags);
    open.delete(whole);
    open.set(whole, fd);
    const [oldest] = open;
    if (open.size > maxOpen && oldest !== undefined) {
      open.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    return fd;
  }

  return {
    root,
    address(path) {
      const whole = path === '' ? root : `${root}/${path}`;
      let [done, base] = [0, ''];
      while (whole.length - done > maxPathBytes) {
        const end = whole.lastIndexOf('/', done + maxPathBytes - 300);
        const fd = enter(whole.slice(0, end), base + whole.slice(done, end));
        base = `/proc/self/fd/${fd}/`;
        done = end + 1;
      }
      return toAddress(base + whole.slice(done));
    },
    close() {
      for (const fd of open.values()) closeSync(fd);
      open.clear();
    },
  };
}
