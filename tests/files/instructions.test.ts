/** AGENTS.md counts as instructions only as a regular file at its own place. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readInstructions } from '../../activities/files/instructions.ts';
import { PathRefused } from '../../activities/files/walk.ts';

const base = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-instructions-')));
after(() => rmSync(base, { recursive: true, force: true }));
writeFileSync(join(base, 'secret'), 'CANARY');
let count = 0;

const readIn = (plant: (file: string, root: string) => unknown, authorize = () => undefined) => {
  const root = join(base, String((count += 1)));
  mkdirSync(root);
  plant(join(root, 'AGENTS.md'), root);
  return readInstructions(root, authorize);
};

test('a regular file counts, and none is none', () => {
  assert.match(
    readIn((file) => writeFileSync(file, 'Be kind.')),
    /owner .*\nBe kind\.$/,
  );
  assert.equal(
    readIn(() => undefined),
    '',
  );
});

for (const [what, plant] of [
  ['a link to a file outside', (file: string) => symlinkSync(join(base, 'secret'), file)],
  [
    'a link to a file inside',
    (file: string, root: string) => {
      writeFileSync(join(root, 'other'), 'CANARY');
      symlinkSync('other', file);
    },
  ],
  ['a FIFO', (file: string) => execFileSync('mkfifo', [file])],
  ['a folder', (file: string) => mkdirSync(file)],
  [
    'a file of a gigabyte',
    (file: string) => {
      writeFileSync(file, 'CANARY');
      truncateSync(file, 2 ** 30);
    },
  ],
] as const)
  test(`as ${what} it is not read, and the run is told so`, () => {
    const said = readIn(plant);
    assert.match(said, /^AGENTS\.md was not read: /);
    assert.doesNotMatch(said, /CANARY/);
  });

const refuse = (): never => {
  throw new PathRefused('policy', 'Reading "AGENTS.md" is not allowed.');
};

test('what the policy keeps from being read is not read here', () => {
  assert.equal(
    readIn((file) => writeFileSync(file, 'CANARY'), refuse),
    'AGENTS.md was not read: Reading "AGENTS.md" is not allowed.',
  );
});
