import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createPlace } from './program.ts';
import type { Place } from './program.ts';

const entry = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const run = promisify(execFile);

const toCase = (_: unknown, index: number): string =>
  JSON.stringify({ id: `c${index}`, tool: 'read_file', args: { path: `file-${index}` } });

suite('output through a pipe', () => {
  const lines = 5_000;
  let place: Place;
  let shell: (line: string) => Promise<{ stdout: string; stderr: string }>;
  before(async () => {
    place = await createPlace();
    const cases = join(place.root, 'cases.jsonl');
    await writeFile(cases, Array.from({ length: lines }, toCase).join('\n'));
    const command = `"${process.execPath}" "${entry}" policies check --json --cases "${cases}"`;
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...place.env };
    shell = (line) =>
      run('bash', ['-o', 'pipefail', '-c', line.replace('AGENT', command)], { env });
  });
  after(() => rm(place.root, { recursive: true }));

  test('all of it arrives, however slowly it is read', async () => {
    const { stdout } = await shell('AGENT | (sleep 1; wc -l)');
    assert.equal(Number(stdout), lines);
  });

  test('a reader that leaves early ends it without a word', async () => {
    const { stdout, stderr } = await shell('AGENT | head -1');
    assert.match(stdout, /^\{"id":"c0".*\n$/);
    assert.equal(stderr, '');
  });
});
