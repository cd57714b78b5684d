/** What processes listen on, as this machine sees it. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

const listening = '0A';

const readLines = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};

const childrenOf = (pid: number): number[] =>
  readLines(`/proc/${pid}/task/${pid}/children`).flatMap((line) =>
    line.split(' ').filter(Boolean).map(Number),
  );

const treeOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(treeOf)];

const socketsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    return []; // Gone in between.
  }
};

/** TCP ports of this machine's own network that these processes, and those they started, listen on. */
export function listPorts(pids: readonly number[]): number[] {
  const own = new Set(pids.flatMap(treeOf).flatMap(socketsOf));
  const ports = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(readLines).flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === listening && own.has(inode) ? [Number(`0x${local.split(':')[1]}`)] : [];
  });
  return [...new Set(ports)].toSorted((a, b) => a - b);
}
