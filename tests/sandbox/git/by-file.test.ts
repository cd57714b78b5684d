/** File tools leave to git what makes a folder a repository. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refuseGitFolderByFile } from '../../../activities/sandbox/git/by-file.ts';
import { PathRefused } from '../../../activities/files/walk.ts';
import { makePlace } from '../fixture.ts';

test('no file tool makes a folder a repository, or writes in one that is', (context) => {
  const { root } = makePlace(context);
  mkdirSync(join(root, 'x/objects'), { recursive: true });
  mkdirSync(join(root, 'x/refs'));
  for (const path of ['x/config', 'config', 'src/HEAD', 'x/readme', 'y/objects/a'])
    refuseGitFolderByFile(root, path);
  assert.throws(() => refuseGitFolderByFile(root, 'x/HEAD'), PathRefused);
  writeFileSync(join(root, 'x/HEAD'), '');
  for (const path of ['x/config', 'x/hooks/update', 'x/objects/info/alternates'])
    assert.throws(() => refuseGitFolderByFile(root, path), PathRefused);
  refuseGitFolderByFile(root, 'x/readme');
});
