/**
 * `npm test`: every test, fast ones first, one Temporal server for all of them.
 * `npm test -- policies audit` runs only files whose path contains one of the words.
 */
import { globSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { startTemporal } from './setup/temporal.ts';

const stages: readonly { name: string; folders: readonly string[]; concurrency: number }[] = [
  {
    name: 'unit',
    folders: [
      'policies',
      'config',
      'audit',
      'sandbox',
      'files',
      'snapshots',
      'model',
      'tools',
      'act',
      'demo',
      'client',
      'cli',
      'attacks',
    ],
    concurrency: cpus().length,
  },
  { name: 'workflow', folders: ['workflows'], concurrency: 1 },
  { name: 'replay', folders: ['replay'], concurrency: 1 },
  { name: 'end to end', folders: ['workers', 'e2e', 'chaos'], concurrency: 1 },
];

const words = process.argv.slice(2);
const isWanted = (file: string): boolean =>
  words.length === 0 || words.some((word) => file.includes(word));

let passed = 0;
let failed = 0;
let skipped = 0;

async function runFiles(files: readonly string[], concurrency: number): Promise<void> {
  const stream = run({ files: [...files], concurrency, timeout: 300_000 });
  stream.on('test:pass', ({ details, skip, todo }) => {
    if (details.type === 'suite') return;
    if (skip !== undefined || todo !== undefined) skipped += 1;
    else passed += 1;
  });
  stream.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') failed += 1;
  });
  await new Promise<void>((resolve, reject) => {
    stream
      .compose(new spec())
      .on('error', reject)
      .on('end', resolve)
      .pipe(process.stdout, { end: false });
  });
}

// Keys that tests make are not the developer's.
const config = mkdtempSync(join(tmpdir(), 'dev-agent-config-'));
process.env['XDG_CONFIG_HOME'] = config;
const temporal = await startTemporal();
process.env['TEMPORAL_TEST_ADDRESS'] = temporal.address;
process.env['AGENT_TEMPORAL_CLI'] = temporal.cli;
try {
  for (const { name, folders, concurrency } of stages) {
    const files = folders
      .flatMap((folder) => globSync(`tests/${folder}/**/*.test.ts`))
      .toSorted()
      .filter(isWanted);
    if (files.length === 0) continue;
    console.log(`\n== ${name}: ${files.length} files`);
    await runFiles(files, concurrency);
  }
} finally {
  rmSync(config, { recursive: true, force: true });
  await temporal.stop();
}
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
