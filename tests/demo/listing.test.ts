/** Listings as the workspace tool writes them, with names that look like something else. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listFiles } from '../../activities/files/list.ts';
import {
  countExtensions,
  countTopFolders,
  findManifests,
  parseListing,
} from '../../demo/listing.ts';

test('every file and folder of a real listing is found by its path', async () => {
  const root = await mkdtemp(join(tmpdir(), 'demo-listing-'));
  try {
    for (const folder of ['(group)/[id]', 'a/b/c', 'empty', 'node_modules/x', 'z']) {
      await mkdir(join(root, folder), { recursive: true });
    }
    const files = [
      '(group)/[id]/[...all].tsx',
      '(group)/x',
      '.env',
      'a/b/c/deep 2024',
      'a/top.ts',
      'z/- (link)',
    ];
    for (const file of files) await writeFile(join(root, file), 'text');
    await writeFile(join(root, 'node_modules/x/y.js'), '');
    await symlink('a', join(root, 'alias'));

    const text = listFiles(root, '.', { depth: 20, maxEntries: 99, authorize: () => undefined });
    const listing = parseListing(text);
    assert.deepEqual(listing.files.toSorted(), files.toSorted(), text);
    assert.deepEqual(listing.folders.toSorted(), [
      '(group)',
      '(group)/[id]',
      'a',
      'a/b',
      'a/b/c',
      'empty',
      'node_modules',
      'z',
    ]);
    assert.deepEqual(listing.closed, ['node_modules']);
    assert.equal(listing.complete, true);
    assert.deepEqual(countTopFolders(listing), [
      ['(group)', 2],
      ['a', 2],
      ['z', 1],
      ['empty', 0],
      ['node_modules', 0],
    ]);

    const cut = listFiles(root, '.', { depth: 20, maxEntries: 3, authorize: () => undefined });
    assert.equal(parseListing(cut).complete, false);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test('an empty folder is complete; text cut in the middle is not', () => {
  const nothing = { files: [], folders: [], closed: [], complete: true };
  assert.deepEqual(parseListing('(empty folder)'), nothing);
  const cut = parseListing(
    'a/\n  b.ts 10\n[… 9000 characters left out; read_blob sha256:0 …]\nz.md 3',
  );
  assert.equal(cut.complete, false);
  assert.deepEqual(cut.files, ['a/b.ts', 'z.md']);
});

test('extensions are counted most frequent first, dot files and bare names as having none', () => {
  const listing = parseListing('.env 1\nLICENSE 1\na.test.ts 1\nb.ts 1\nc.ts 1\nd.md 1');
  assert.deepEqual(countExtensions(listing), [
    ['.ts', 3],
    ['no extension', 2],
    ['.md', 1],
  ]);
});

test('manifests are those of the root, the README first', () => {
  const listing = parseListing('Cargo.toml 1\nREADME.md 1\nsub/\n  package.json 1\npackage.json 1');
  assert.deepEqual(findManifests(listing), ['README.md', 'Cargo.toml', 'package.json']);
});
