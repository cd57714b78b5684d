import { lstatSync, readlinkSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';

const maxLinks = 40;

const lookAt = (path: BytePath) =>
  lstatSync(Buffer.from(path, 'latin1'), { throwIfNoEntry: false });

/**
 * Where the kernel would resolve `target` from the folder `from`; missing parts are taken lexically. Undefined if it
 * would give up.
 */
export function resolvePath(from: BytePath, target: BytePath): BytePath | undefined {
  const done = target.startsWith('/') ? [] : from.split('/').filter((name) => name !== '');
  const todo = target.split('/').toReversed();
  let links = 0;
  try {
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        done.pop();
        continue;
      }
      const path = `/${[...done, name].join('/')}`;
      if (lookAt(path)?.isSymbolicLink() !== true) {
        done.push(name);
        continue;
      }
      if ((links += 1) > maxLinks) return undefined;
      const link = readlinkSync(Buffer.from(path, 'latin1'), 'latin1');
      if (link.startsWith('/')) done.length = 0;
      todo.push(...link.split('/').toReversed());
    }
  } catch {
    return undefined;
  }
  return `/${done.join('/')}`;
}

/** Whether that is inside `root`, which is free of links. */
export function leadsInside(root: BytePath, from: BytePath, target: BytePath): boolean {
  const path = target === '' || target.includes('\0') ? undefined : resolvePath(from, target);
  return path !== undefined && (path === root || path.startsWith(`${root}/`));
}
