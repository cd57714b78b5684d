/** Run by tests as a user who is not the superuser: `as-nobody.ts <case> <folder>`; prints what it found as JSON. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { scannerOf } from '../../activities/sandbox/scan.ts';
import type { Guard } from '../../activities/sandbox/guard.ts';
import { findSandbox, makeShell, script } from './fixture.ts';

const [, , name = '', folder = ''] = process.argv;
const workspace = join(folder, 'ws');
mkdirSync(workspace);
for (const other of ['out', 'state']) mkdirSync(join(folder, other));
const snapshots = openSnapshots(join(folder, 'store'), workspace, 'test');
const at = (path: string): string => join(workspace, path);
const place = { root: workspace, out: join(folder, 'out'), state: join(folder, 'state') };

/** A file comes to be readable between two snapshots. */
async function readable() {
  writeFileSync(at('closed.txt'), 'mine\n');
  chmodSync(at('closed.txt'), 0o000);
  const { tree } = await snapshots.capture();
  chmodSync(at('closed.txt'), 0o600);
  const { left } = await snapshots.restore(tree);
  return { left, content: readFileSync(at('closed.txt'), 'utf8') };
}

const guard: Guard = { isHidden: (_, leaf) => leaf === '.env', isProtected: () => false };

/** Folders are closed in all the ways there are, with something in each that commands must not see. */
async function closed() {
  const modes = [0o311, 0o000, 0o644, 0o444];
  for (const mode of modes) {
    mkdirSync(at(`d${mode}/inner`), { recursive: true });
    writeFileSync(at(`d${mode}/.env`), 'SECRET=1\n');
    writeFileSync(at(`d${mode}/inner/.env`), 'SECRET=1\n');
    chmodSync(at(`d${mode}`), mode);
  }
  const { hidden } = await scannerOf(workspace, guard).look();
  const sandbox = await findSandbox(place);
  if (sandbox.kind !== 'bubblewrap') return { hidden, printed: '' };
  const shell = await makeShell(place, sandbox);
  const text = 'chmod -R u+rwx . 2>/dev/null; cat d*/.env d*/inner/.env; ls';
  const { text: printed } = await shell(script(text), { guard });
  return { hidden, printed };
}

/** A command closes a folder and the git folder; going back opens them. */
async function opened() {
  execFileSync('git', ['init', '-q'], { cwd: workspace });
  mkdirSync(at('src'));
  writeFileSync(at('src/a.txt'), 'a\n');
  const { tree } = await snapshots.capture();
  chmodSync(at('src'), 0o311);
  chmodSync(at('.git'), 0o311);
  const fresh = openSnapshots(join(folder, 'store'), workspace, 'fresh');
  const { uncovered } = await fresh.capture();
  const { left } = await fresh.restore(tree);
  const status = execFileSync('git', ['status', '--porcelain'], { cwd: workspace });
  return {
    uncovered: uncovered.toSorted(),
    left,
    status: status.toString(),
    modes: ['src', '.git'].map((path) => (statSync(at(path)).mode & 0o700).toString(8)),
    same: await fresh.isSame((await fresh.capture()).tree, tree),
  };
}

const cases: Readonly<Record<string, () => Promise<unknown>>> = { readable, closed, opened };
process.stdout.write(JSON.stringify(await cases[name]?.()));
