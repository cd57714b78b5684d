/** What a sandbox covers is known again without reading the folder again, as long as nothing was added to it. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { scannerOf } from '../../activities/sandbox/scan.ts';
import { makePlace } from './fixture.ts';

/** Longer than the kernel's clock takes to tell two changes apart. */
const settle = (): Promise<void> => sleep(120);

test('every change that matters is seen by the next look, however long nothing had changed', async (t) => {
  const { root, out } = makePlace(t);
  mkdirSync(join(root, 'a/b/c'), { recursive: true });
  mkdirSync(join(root, 'd'));
  mkdirSync(join(root, 'plain/objects'), { recursive: true });
  const guard = {
    isHidden: (_: readonly string[], name: string) => name === '.env',
    isProtected: (_: readonly string[], name: string) => name === 'guarded',
  };
  const scanner = scannerOf(root, guard);
  const look = async () => {
    await settle();
    // Twice: the second may go by what the first has kept.
    await scanner.look();
    const first = await scanner.look();
    assert.deepEqual(await scanner.look(), first);
    return first;
  };
  assert.deepEqual(await look(), {
    hidden: [],
    watched: [],
    closed: [],
    guarded: [],
    gitFolders: [],
  });
  const changes: readonly [() => void, Partial<Awaited<ReturnType<typeof look>>>][] = [
    [() => mkdirSync(join(root, 'a/b/c/.git')), { gitFolders: ['a/b/c/.git'] }],
    [() => renameSync(join(root, 'a/b'), join(root, 'e')), { gitFolders: ['e/c/.git'] }],
    [() => writeFileSync(join(root, 'd/.env'), ''), { hidden: ['d/.env'] }],
    [() => writeFileSync(join(root, 'plain/HEAD'), ''), { gitFolders: ['e/c/.git', 'plain'] }],
    [() => symlinkSync(out, join(root, 'e/guarded')), { guarded: ['e/guarded'] }],
    [() => rmSync(join(root, 'd/.env')), { hidden: [] }],
    [() => rmSync(join(root, 'e'), { recursive: true }), { guarded: [], gitFolders: ['plain'] }],
  ];
  for (const [change, expected] of changes) {
    change();
    const seen = await scanner.look();
    assert.deepEqual({ ...seen, ...expected }, seen, change.toString());
    await look();
  }
});
