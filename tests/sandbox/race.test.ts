/**
 * Folders and files exchanged with links to outside while the file tools are at work. RACE_ROUNDS sets how often, 4,000 if
 * absent; a release is tried with 100,000.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteFile, editText, readText, writeText } from '../../activities/files/files.ts';
import { listFiles } from '../../activities/files/list.ts';
import { PathRefused } from '../../activities/files/walk.ts';
import { anything, makePlace } from './fixture.ts';

const rounds = Number(process.env['RACE_ROUNDS'] ?? 4_000);
const options = { maxBytes: 1_000_000, authorize: anything };
const secret = 'CANARY A B';

/** What a tool may say when the ground moves under it; anything else is a fault. */
const expected = new Set([
  'missing',
  'outside',
  'invalid',
  'not-regular',
  'mismatch',
  'too-many-links',
]);

/** Renames in a process of its own, so that they fall between any two system calls of ours. */
const exchange = `const f=require('fs');process.chdir(process.argv[1]);process.stdout.write('up');
const move=(a,b)=>{try{f.renameSync(a,b)}catch(e){try{if(e.code!=='ENOENT')f.rmSync(b,{recursive:true})}catch{}}};
for(;;) for(const name of ['folder','up/folder','leaf']) {
  move(name,name+'.held'); move(name+'.link',name); move(name,name+'.link'); move(name+'.held',name);
}`;

test(`${rounds} reads and writes among exchanges with links never touch what is outside`, async (t) => {
  const { root, out } = makePlace(t);
  for (const name of ['folder', 'up/folder']) {
    mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, name, 'f'), 'inside A');
    symlinkSync(out, join(root, `${name}.link`));
  }
  writeFileSync(join(root, 'leaf'), 'inside A');
  symlinkSync(join(out, 'f'), join(root, 'leaf.link'));
  writeFileSync(join(out, 'f'), secret);
  writeFileSync(join(out, 'kept'), secret);
  const works: readonly (() => string)[] = [
    () => readText(root, 'folder/f', options),
    () => readText(root, 'up/folder/f', options),
    () => readText(root, 'leaf', options),
    () => writeText(root, 'folder/f', 'inside A', options).path,
    () => writeText(root, 'leaf', 'inside A', options).path,
    () => writeText(root, 'up/folder/new/deep', 'inside', options).path,
    () => editText(root, 'up/folder/f', { old: 'A', new: 'B' }, options).path,
    () => editText(root, 'up/folder/f', { old: 'B', new: 'A' }, options).path,
    () => listFiles(root, 'folder', { depth: 2, maxEntries: 50, authorize: anything }),
    () => deleteFile(root, 'folder/kept', options).path,
  ];
  const racer = spawn(process.execPath, ['-e', exchange, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(racer, 'exit');
  await once(racer.stdout, 'data');
  const seen = new Map<string, number>();
  try {
    for (let round = 0; round < rounds; round++) {
      let what = 'done';
      try {
        const said = works[round % works.length]?.() ?? '';
        assert.doesNotMatch(said, /CANARY|kept \d/, 'it shows what is outside');
      } catch (error) {
        if (!(error instanceof PathRefused)) throw error;
        what = error.code;
      }
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
    assert.equal(racer.exitCode, null, 'the racer died');
  } finally {
    racer.kill('SIGKILL');
    await exit;
  }
  assert.deepEqual(
    [...seen.keys()].filter((what) => what !== 'done' && !expected.has(what)),
    [],
  );
  assert.ok((seen.get('done') ?? 0) > 0, 'nothing was ever done');
  assert.ok((seen.get('outside') ?? 0) > 0, `the race was never met: ${[...seen].join(' ')}`);
  assert.deepEqual(readdirSync(out).toSorted(), ['f', 'kept']);
  for (const name of ['f', 'kept']) assert.equal(readFileSync(join(out, name), 'utf8'), secret);
});
