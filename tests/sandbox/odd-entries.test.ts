/** One odd thing in a folder does not break the whole: it is passed over and named, and the rest goes on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { copyWorkspace } from '../../activities/files/copies.ts';
import { listFiles } from '../../activities/files/list.ts';
import { removeTree } from '../../activities/files/remove.ts';
import { searchFiles } from '../../activities/files/search.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { scannerOf } from '../../activities/sandbox/scan.ts';
import type { Guard } from '../../activities/sandbox/guard.ts';
import { anything, findSandbox, makeShell, script } from './fixture.ts';
import { runAsNobody } from './nobody.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-odd-')));
after(() => removeTree(root));

let rooms = 0;

function createRoom() {
  rooms += 1;
  const place = ['ws', 'out', 'state', 'store'].map((name) => join(root, `r${rooms}`, name));
  const [workspace = '', out = '', state = '', store = ''] = place;
  for (const folder of place) mkdirSync(folder, { recursive: true });
  writeFileSync(join(workspace, 'a.txt'), 'one\n');
  return {
    workspace,
    store,
    place: { root: workspace, out, state },
    snapshots: openSnapshots(store, workspace, 'test'),
    bash: (text: string) => execFileSync('bash', ['-c', text], { cwd: workspace }),
  };
}

const guard: Guard = { isHidden: (_, name) => name === '.env', isProtected: () => false };
/** A folder in a folder, until the path has over 5,000 bytes; a secret and a file at its end. */
const dig = `name=$(printf 'd%.0s' {1..200}); for i in {1..26}; do mkdir $name; cd $name; done; echo SECRET > .env; echo deep > deep.txt`;
const listing = { depth: 20, maxEntries: 1_000, authorize: anything };

test('a path longer than the system opens does not keep a workspace from anything', async () => {
  const { workspace, store, snapshots, bash, place } = createRoom();
  const { tree } = await snapshots.capture();
  bash(dig);
  writeFileSync(join(workspace, 'a.txt'), 'two\n');
  const { tree: dug, uncovered } = await snapshots.capture();
  assert.equal(uncovered.length, 1);
  assert.deepEqual(await snapshots.compare(tree, dug), [{ kind: 'changed', path: 'a.txt' }]);
  assert.match(listFiles(workspace, '.', listing), /a\.txt/);
  const sandbox = await findSandbox(place);
  const search = (pattern: string): Promise<string> =>
    searchFiles({
      root: workspace,
      path: '.',
      pattern,
      hidden: [],
      sandbox,
      signal: new AbortController().signal,
    });
  assert.match(await search('two'), /a\.txt:1:two/);
  assert.match(await search('nowhere'), /^No match/);
  const copy = await copyWorkspace(store, workspace, join(root, `copy${rooms}`));
  assert.equal(readFileSync(join(copy, 'a.txt'), 'utf8'), 'two\n');
  await openSnapshots(store, copy, 'test').restore(tree);
  removeTree(copy);
  assert.ok(!existsSync(copy));
  await snapshots.restore(tree);
  assert.equal(readFileSync(join(workspace, 'a.txt'), 'utf8'), 'one\n');
});

test('what is too deep to be covered is hidden from commands, with all that is in it', async () => {
  const { bash, place, workspace } = createRoom();
  bash(dig);
  const { hidden } = await scannerOf(workspace, guard).look();
  assert.equal(hidden.length, 1);
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return;
  const { text } = await shell(script('find . -name .env -execdir cat {} +; cat a.txt'), { guard });
  assert.equal(text.trim(), 'one');
});

test('what is denied below a name that is no text is hidden from commands, the rest is not', async () => {
  const { bash, place } = createRoom();
  bash(
    `mkdir $'\\xff' sub && echo fine > $'\\xff/fine' && mkdir $'sub/\\xfe' && echo SECRET > $'sub/\\xfe/.env'`,
  );
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return;
  const { text } = await shell(script('find . -name .env; cat a.txt */fine'), { guard });
  assert.equal(text.trim(), 'one\nfine');
});

test('folders that cannot be read or entered are hidden from commands of a user who is not root', (t) => {
  const { hidden, printed } = runAsNobody(t, 'closed') as { hidden: string[]; printed: string };
  assert.deepEqual(hidden, [0, 0o311, 0o444, 0o644].map((mode) => `d${mode}`).toSorted());
  assert.doesNotMatch(printed, /SECRET/);
});

test('going back opens the folders that a command of a user who is not root closed', (t) => {
  assert.deepEqual(runAsNobody(t, 'opened'), {
    uncovered: ['.git', 'src'],
    left: [],
    status: '?? src/\n',
    modes: ['700', '700'],
    same: true,
  });
});

test('pipes, sockets, loops of links and names that are no text are passed over in listing, snapshot and way back', async () => {
  const { workspace, snapshots, bash } = createRoom();
  const { tree } = await snapshots.capture();
  bash(`mkfifo pipe; mkdir odd; mkfifo odd/pipe; touch $'odd/\\xff\\n'; ln -s loop loop`);
  symlinkSync('.', join(workspace, 'odd/self'));
  const listed = listFiles(workspace, '.', listing);
  for (const name of [/pipe \(special\)/, /loop \(link\)/, /cannot be read/])
    assert.match(listed, name);
  const { tree: odd } = await snapshots.capture();
  const added = await snapshots.compare(tree, odd);
  assert.equal(added.length, 3);
  const { left } = await snapshots.restore(tree);
  assert.deepEqual(left, []);
  assert.ok(existsSync(join(workspace, 'odd/pipe')));
  assert.ok(!existsSync(join(workspace, 'loop')));
});

test('a pipe in place of a file goes when the file comes back', async () => {
  const { workspace, snapshots, bash } = createRoom();
  const { tree } = await snapshots.capture();
  bash('rm a.txt; mkfifo a.txt');
  await snapshots.restore(tree);
  assert.equal(readFileSync(join(workspace, 'a.txt'), 'utf8'), 'one\n');
});

test('a folder of 100,000 files is taken and brought back in bounded memory', async () => {
  const { workspace, snapshots, bash } = createRoom();
  const { tree } = await snapshots.capture();
  bash(`mkdir many && cd many && seq 100000 | xargs touch`);
  const before = process.memoryUsage().rss;
  const { tree: full } = await snapshots.capture();
  assert.notEqual(full, tree);
  await snapshots.restore(tree);
  assert.ok(process.memoryUsage().rss - before < 512 * 1024 * 1024);
  assert.ok(!existsSync(join(workspace, 'many')));
});
