/** Listing and searching. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listFiles } from '../../activities/files/list.ts';
import { searchFiles } from '../../activities/files/search.ts';
import type { SearchOptions } from '../../activities/files/search.ts';
import { PathRefused } from '../../activities/files/walk.ts';
import { anything, findSandbox, makePlace } from './fixture.ts';
import type { Place } from './fixture.ts';

const listing = { depth: 3, maxEntries: 100, authorize: anything };

test('a folder is listed as a tree; closed folders, links and special files are named only', (t) => {
  const { root, out } = makePlace(t);
  for (const folder of ['.git/objects', 'node_modules/x', 'src/deep/deeper/deepest'])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'src/a.ts'), 'four');
  writeFileSync(join(root, 'line\nbreak\u001b[2J'), '');
  symlinkSync(out, join(root, 'link'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const lines = listFiles(root, '.', listing).split('\n');
  const expected = ['.git/ (not listed)', 'line\\x0abreak\\x1b[2J 0', 'link (link)'];
  const rest = [
    'node_modules/ (not listed)',
    'pipe (special)',
    'src/',
    '  a.ts 4',
    '  deep/',
    '    deeper/',
  ];
  assert.deepEqual(lines, [...expected, ...rest]);
  assert.match(listFiles(root, '.', { ...listing, maxEntries: 2 }), /^\.git.*\n.*\n\[4 more/s);
  assert.equal(listFiles(root, 'src/deep/deeper/deepest', listing), '(empty folder)');
  for (const path of ['src/a.ts', 'pipe', '..', 'link', 'none'])
    assert.throws(() => listFiles(root, path, listing), PathRefused, path);
});

const makeSearch = async (place: Place) => {
  const sandbox = await findSandbox(place);
  return (pattern: string, options: Partial<SearchOptions> = {}) =>
    searchFiles({
      root: place.root,
      path: '.',
      pattern,
      hidden: [],
      sandbox,
      signal: new AbortController().signal,
      ...options,
    });
};

test('a search finds lines, also in dot files, not in ignored ones nor behind links', async (t) => {
  const place = makePlace(t);
  const { root, out } = place;
  for (const folder of ['.git', '.github', 'src']) mkdirSync(join(root, folder));
  for (const file of ['.git/config', '.github/x.yml', 'src/a.ts', 'src/b.js', 'ignored.log'])
    writeFileSync(join(root, file), 'before\nneedle here\n');
  writeFileSync(join(root, '.gitignore'), '*.log\n');
  writeFileSync(join(out, 'secret'), 'needle outside\n');
  symlinkSync(out, join(root, 'link'));
  const search = await makeSearch(place);
  const found = (await search('needle')).split('\n');
  assert.deepEqual(
    found.map((line) => line.replace('./', '')),
    ['.github/x.yml:2:needle here', 'src/a.ts:2:needle here', 'src/b.js:2:needle here'],
  );
  assert.match(await search('needle', { glob: '*.js' }), /^\.?\/?src\/b\.js:2:needle here$/);
  assert.equal(await search('needle', { glob: '**/.git/**' }), 'No match.');
  assert.equal(await search('nothing of the kind'), 'No match.');
  assert.match(await search('needle', { path: 'src' }), /src\/a\.ts.*\n.*src\/b\.js/);
  await assert.rejects(search('(unclosed'), (error: unknown) => error instanceof PathRefused);
  assert.match(await search('-needle|--pre=x|needle'), /a\.ts/);
});

test('content the policy hides is not found, whatever the glob asks for', async (t) => {
  const place = makePlace(t);
  const { root } = place;
  for (const folder of ['app', 'secret', '.ENV', 'src']) mkdirSync(join(root, folder));
  const files = [
    '.env',
    'app/.env.local',
    '.ENV/x',
    'secret/a',
    'keys.pem',
    'src/env.ts',
    'src/keys.pem',
  ];
  for (const file of files) writeFileSync(join(root, file), 'needle\n');
  const search = await makeSearch(place);
  const hidden = ['**/.env*/**', 'secret/**', 'keys.pem'];
  for (const glob of [undefined, '**/.env*', '.env', '**']) {
    const text = await search('needle', { hidden, glob });
    assert.doesNotMatch(text, /\.env|\.ENV|secret|(?<!src\/)keys/, glob);
  }
  assert.match(await search('needle', { hidden }), /src\/env\.ts[^]*src\/keys\.pem/);
});
