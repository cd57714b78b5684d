import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { array, assert as checkProperty, asyncProperty, constantFrom, record } from 'fast-check';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-overlay-')));
after(() => rmSync(root, { recursive: true, force: true }));

let rooms = 0;
const createRoom = () => {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  mkdirSync(workspace);
  return {
    workspace,
    snapshots: openSnapshots(join(root, `s${rooms}`), workspace, 'warm'),
    /** With an index that knows nothing: every file is looked at. */
    captureAfresh: async () => {
      rooms += 1;
      const fresh = openSnapshots(join(root, `s${rooms}`), workspace, 'cold');
      return (await fresh.capture()).tree;
    },
  };
};

const changes: Readonly<Record<string, (file: string) => void>> = {
  write: (file) => writeFileSync(file, `${Math.random()}`),
  grow: (file) => writeFileSync(file, 'x'.repeat(2 * 1024 * 1024)),
  link: (file) => symlinkSync('elsewhere', file),
  folder: (file) => mkdirSync(file),
  program: (file) => {
    writeFileSync(file, 'run');
    chmodSync(file, 0o755);
  },
  remove: () => undefined,
};

/** Makes folders on the way, in place of whatever is there, and the path itself free. */
function clear(workspace: string, path: string): void {
  const names = path.split('/');
  for (let depth = 1; depth < names.length; depth++) {
    const folder = join(workspace, ...names.slice(0, depth));
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) continue;
    rmSync(folder, { force: true });
    mkdirSync(folder);
  }
  rmSync(join(workspace, path), { recursive: true, force: true });
}

test('a warm snapshot is the one that a look at everything would give', async () => {
  const steps = array(
    record({
      path: constantFrom('a', 'b', 'd', 'd/a', 'd/b', 'd/e/a', 'd/e/b', 'f/g/h'),
      change: constantFrom(...Object.keys(changes)),
    }),
    { minLength: 1, maxLength: 8 },
  );
  await checkProperty(
    asyncProperty(steps, async (list) => {
      const { workspace, snapshots, captureAfresh } = createRoom();
      mkdirSync(join(workspace, 'd'));
      writeFileSync(join(workspace, 'd/a'), 'first');
      await snapshots.capture();
      for (const { path, change } of list) {
        clear(workspace, path);
        changes[change]?.(join(workspace, path));
        assert.equal((await snapshots.capture()).tree, await captureAfresh());
      }
    }),
    { numRuns: 15 },
  );
});

test('many changed files are noted in the index, and later ones put over it', async () => {
  const { workspace, snapshots, captureAfresh } = createRoom();
  await snapshots.capture();
  for (let index = 0; index < 100; index++) writeFileSync(join(workspace, `f${index}`), `${index}`);
  assert.equal((await snapshots.capture()).tree, await captureAfresh());
  writeFileSync(join(workspace, 'f7'), 'again');
  assert.equal((await snapshots.capture()).tree, await captureAfresh());
});

test('an index that somebody else wrote is not relied upon', async () => {
  const { workspace, snapshots, captureAfresh } = createRoom();
  writeFileSync(join(workspace, 'a'), '1');
  await snapshots.capture();
  for (let index = 0; index < 100; index++) writeFileSync(join(workspace, `f${index}`), `${index}`);
  await openSnapshots(join(root, `s${rooms}`), workspace, 'other').capture();
  assert.equal((await snapshots.capture()).tree, await captureAfresh());
});
