/** Command lines: pipes, redirections, limits, ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { SandboxUnavailable } from '../../activities/sandbox/shell.ts';
import { PathRefused } from '../../activities/files/walk.ts';
import { argv, findSandbox, makePlace, makeShell, script } from './fixture.ts';
import { waitFor } from '../setup/wait-for.ts';

const none: Sandbox = { kind: 'none' };

/** Each test runs without a sandbox, and in the machine's if it has one. */
function testBoth(name: string, body: (t: TestContext, choice: Sandbox) => Promise<void>): void {
  test(`${name} (unconfined)`, (t) => body(t, none));
  test(`${name} (sandbox)`, async (t) => {
    const place = makePlace(t);
    const sandbox = await findSandbox(place);
    if (sandbox.kind === 'bubblewrap') return await body(t, sandbox);
    const shell = await makeShell(place, sandbox);
    await assert.rejects(shell('true'), SandboxUnavailable);
  });
}

testBoth('a command line runs as it was parsed', async (t, choice) => {
  const place = makePlace(t);
  const { root } = place;
  const shell = await makeShell(place, choice);
  writeFileSync(join(root, 'a.txt'), 'one\ntwo\n');
  mkdirSync(join(root, 'sub'));
  const rows: [line: string, exitCode: number, text: string][] = [
    ['cat a.txt | grep two | tr a-z A-Z', 0, 'TWO\n'],
    ['false && echo no || echo yes; echo end', 0, 'yes\nend\n'],
    ['true && false', 1, ''],
    ['grep -c o < a.txt', 0, '2\n'],
    ['cat a.txt > sub/b.txt && cat sub/b.txt', 0, 'one\ntwo\n'],
    ['cd sub && echo more >> b.txt && cat b.txt', 0, 'one\ntwo\nmore\n'],
    ['ls none 2> /dev/null', 2, ''],
    ['ls none 2>&1 > /dev/null | wc -l', 0, '1\n'],
    ['ls none > both.txt 2>&1; wc -l < both.txt', 0, '1\n'],
    ['echo lost 1>&2 | wc -c > count; cat count', 0, 'lost\n0\n'],
    ['cat << END\na b\nEND', 0, 'a b\n'],
    ['yes | head -n 2', 0, 'y\ny\n'],
    ['printf %s "a;b && $(c)"', 0, 'a;b && $(c)'],
    ['X=1 Y="a b" printenv X Y', 0, '1\na b\n'],
    ['nosuch --flag', 127, 'nosuch: command not found\n'],
  ];
  for (const [line, exitCode, text] of rows) {
    const outcome = await shell(
      line === 'printf %s "a;b && $(c)"' ? argv('printf', '%s', 'a;b && $(c)') : line,
    );
    assert.equal(outcome.text.replace(/^ +/gm, ''), text, line);
    assert.equal(outcome.exitCode, exitCode, line);
    assert.equal(outcome.timedOut, false);
    assert.equal(outcome.bytes, Buffer.byteLength(outcome.text));
  }
});

testBoth('standard output and error come in the order they were written', async (t, choice) => {
  const shell = await makeShell(makePlace(t), choice);
  const { text } = await shell(script('for n in 1 2 3; do echo o$n; echo e$n >&2; done'));
  assert.equal(text, 'o1\ne1\no2\ne2\no3\ne3\n');
});

testBoth('redirections are judged at the file they reach and cannot leave', async (t, choice) => {
  const place = makePlace(t);
  const { root, out } = place;
  const shell = await makeShell(place, choice);
  writeFileSync(join(out, 'secret'), 'CANARY');
  writeFileSync(join(root, 'real'), 'x');
  symlinkSync(join(out, 'w'), join(root, 'out-link'));
  symlinkSync('real', join(root, 'alias'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const redirect = (kind: 'input' | 'output', path: string) => {
    const redirects = [
      kind === 'input' ? { kind, path } : { kind, fd: 1 as const, path, append: false },
    ];
    return shell({
      kind: 'plain',
      pipelines: [{ when: 'first', cwd: '.', commands: [{ argv: ['cat'], redirects }] }],
    });
  };
  for (const path of ['../out/w', `${out}/w`, 'out-link', 'pipe'])
    await assert.rejects(redirect('output', path), PathRefused, path);
  for (const path of ['../out/secret', '/etc/passwd', 'pipe', 'none'])
    await assert.rejects(redirect('input', path), PathRefused, path);
  assert.deepEqual(readdirSync(out), ['secret']);
  const judged: string[] = [];
  const authorize = (operation: string, path: string) => void judged.push(`${operation} ${path}`);
  await shell('cat < alias > new', { authorize });
  assert.deepEqual(judged, ['read real', 'write new']);
  await assert.rejects(shell('echo x > real', { authorize: refuse }), /refused by the policy/);
  assert.equal(readFileSync(join(root, 'real'), 'utf8'), 'x');
});

testBoth('a folder to run in must be one, inside', async (t, choice) => {
  const place = makePlace(t);
  symlinkSync(place.out, join(place.root, 'link'));
  const shell = await makeShell(place, choice);
  for (const cwd of ['none', '..', 'link'])
    await assert.rejects(shell(script('pwd', cwd)), PathRefused, cwd);
});

testBoth('a command that takes too long ends, with all it has started', async (t, choice) => {
  const place = makePlace(t);
  const shell = await makeShell(place, choice);
  const seconds = 9_000 + (process.pid % 900);
  const line = script(`setsid sleep ${seconds} & sleep ${seconds} & echo up; wait`);
  const outcome = await shell(line, { timeoutMs: 1_000 });
  assert.deepEqual([outcome.exitCode, outcome.timedOut, outcome.text], [124, true, 'up\n']);
  const ended = await shell(script(`setsid sleep ${seconds} > /dev/null & echo left`));
  assert.equal(ended.text, 'left\n');
  assert.deepEqual(findProcesses(`sleep\0${seconds}\0`), []);
});

testBoth('an abort ends the command and is the error', async (t, choice) => {
  const shell = await makeShell(makePlace(t), choice);
  const seconds = 8_000 + (process.pid % 900);
  const controller = new AbortController();
  const running = shell(script(`echo up; sleep ${seconds} | cat`), {
    signal: controller.signal,
    onOutput: () => controller.abort(new Error('cancelled by a person')),
  });
  await assert.rejects(running, /cancelled by a person/);
  await assert.rejects(shell('true', { signal: controller.signal }), /cancelled by a person/);
  await untilGone(`sleep\0${seconds}\0`);
});

testBoth('a signal is told as a shell tells it', async (t, choice) => {
  const shell = await makeShell(makePlace(t), choice);
  assert.equal((await shell(script('kill -TERM $$'))).exitCode, 143);
  assert.equal((await shell(script('exit 7'))).exitCode, 7);
});

testBoth('an endless output is counted, its ends shown, its beginning kept', async (t, choice) => {
  const place = makePlace(t);
  const shell = await makeShell(place, choice);
  const outcome = await shell('seq 1000000', { maxOutputBytes: 100_000 });
  const all = Array.from({ length: 1_000_000 }, (_, n) => `${n + 1}\n`).join('');
  assert.equal(outcome.bytes, all.length);
  assert.equal(outcome.head, all.slice(0, outcome.head.length));
  assert.equal(outcome.tail, all.slice(-outcome.tail.length));
  assert.ok(outcome.head.length + outcome.tail.length <= 30_000);
  assert.ok(outcome.whole !== undefined);
  const kept = readFileSync(outcome.whole.file, 'utf8');
  assert.equal(kept, all.slice(0, 100_000));
  assert.equal(outcome.whole.sha256, createHash('sha256').update(kept).digest('hex'));
  assert.deepEqual(readdirSync(join(place.state, 'spill')).length, 1, 'nothing else is left');
});

testBoth('a gigabyte of output costs little memory', async (t, choice) => {
  const shell = await makeShell(makePlace(t), choice);
  await shell('true');
  const before = process.memoryUsage.rss();
  const { bytes, exitCode } = await shell('head -c 1073741824 /dev/zero', {
    maxOutputBytes: 10_000_000,
  });
  assert.deepEqual([bytes, exitCode], [1_073_741_824, 0]);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
});

testBoth('arguments too long for the system are an answer, not a crash', async (t, choice) => {
  const shell = await makeShell(makePlace(t), choice);
  const { exitCode, text } = await shell(argv('echo', 'x'.repeat(200_000)));
  assert.equal(exitCode, 126);
  assert.match(text, /200004 bytes/);
});

testBoth('no descriptor is left open', async (t, choice) => {
  const place = makePlace(t);
  const shell = await makeShell(place, choice);
  // Pipes are made eight at a time and used up one by one.
  const counts = new Set<number>();
  for (let n = 0; n < 27; n++) {
    await shell('true');
    await shell('echo a | cat > b');
    await assert.rejects(shell('cat < none | cat'), PathRefused);
    counts.add(readdirSync('/proc/self/fd').length);
  }
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 24, [...counts].join());
  assert.ok(existsSync(join(place.root, 'b')));
});

const refuse = (): never => {
  throw new Error('refused by the policy');
};

function findProcesses(commandLine: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') === commandLine;
    } catch {
      return false;
    }
  });
}

const untilGone = (commandLine: string): Promise<true> =>
  waitFor(`the end of ${commandLine}`, () => findProcesses(commandLine).length === 0, 5_000);
