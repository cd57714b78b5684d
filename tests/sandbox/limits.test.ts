/** What one command may use, and that the next one is none the worse for it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { usualLimits } from '../../policies/limits.ts';
import { argv, guardPaths, makePlace, makeShell, script } from './fixture.ts';
import type { Place, Shell } from './fixture.ts';

const mebibyte = 1_048_576;
const allow = (limits: Partial<typeof usualLimits>) => ({ limits: { ...usualLimits, ...limits } });

function testConfined(name: string, body: (shell: Shell, place: Place) => Promise<void>): void {
  test(name, async (t) => {
    const place = makePlace(t);
    const shell = await makeShell(place);
    // Where commands are refused there is nothing to bound: confine.test.ts checks that they are.
    if (shell.sandbox.kind === 'bubblewrap') await body(shell, place);
    else assert.equal(shell.sandbox.kind, 'unavailable');
  });
}

testConfined('a memory hog is ended, and it is said why', async (shell) => {
  const hog = 'const all=[]; for(;;) all.push(Buffer.alloc(16*1024*1024, 1))';
  const { exitCode, text } = await shell(
    argv('node', '-e', hog),
    allow({ memoryBytes: 300 * mebibyte }),
  );
  assert.equal(exitCode, 137);
  assert.match(
    text,
    /ended the command: its processes used \d+ bytes of memory.*sandbox\.memory_bytes/,
  );
  assert.equal((await shell('echo on')).text, 'on\n');
});

testConfined('memory counts for all processes of a command together', async (shell) => {
  const one = 'const b=Buffer.alloc(120*1024*1024,1); setTimeout(()=>b.length, 60000)';
  const line = script(`for i in 1 2 3 4; do node -e '${one}' & done; wait`);
  const { text } = await shell(line, allow({ memoryBytes: 400 * mebibyte }));
  assert.match(text, /sandbox\.memory_bytes/);
});

/** A program that makes files in memory of 16 MiB each, and does something with each. */
const memoryHog = (then: string) => `
import mmap, os, time
kept = []
for n in range(40):
    fd = os.memfd_create("m")
    for part in range(16):
        os.write(fd, bytes(1048576))
    ${then}
    time.sleep(0.05)
time.sleep(60)`;

testConfined('files in memory count as memory, mapped or not, open or not', async (shell) => {
  const keeps = [
    'kept.append(fd)',
    'kept.append(mmap.mmap(fd, 0)); kept[-1].read(); os.close(fd)',
    'kept.append(fd); kept.append(mmap.mmap(fd, 0)); kept[-1].read()',
  ];
  for (const keep of keeps) {
    const { text } = await shell(
      argv('python3', '-c', memoryHog(keep)),
      allow({ memoryBytes: 256 * mebibyte }),
    );
    assert.match(text, /sandbox\.memory_bytes/, keep);
  }
  const shares = memoryHog('kept.append(fd); kept.append(mmap.mmap(fd, 0)); kept[-1].read()')
    .replace('range(40)', 'range(10)')
    .replace('time.sleep(60)', 'print("fits")');
  const fits = await shell(argv('python3', '-c', shares), allow({ memoryBytes: 400 * mebibyte }));
  assert.match(fits.text, /fits/, 'what is mapped and open counts once');
});

testConfined(
  'memory that only a message in flight holds is bounded where there are control groups',
  async (shell) => {
    const { sandbox } = shell;
    if (sandbox.kind !== 'bubblewrap' || sandbox.files.controlGroups?.memory === undefined) return;
    const hog = `
import array, os, socket, time
kept = []
for n in range(60):
    fd = os.memfd_create("m")
    for part in range(16):
        os.write(fd, bytes(1048576))
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd); kept.append((a, b)); time.sleep(0.05)
time.sleep(60)`;
    const { text } = await shell(
      argv('python3', '-c', hog),
      allow({ memoryBytes: 256 * mebibyte }),
    );
    assert.match(text, /sandbox\.memory_bytes/);
  },
);

testConfined(
  'a command that fills the workspace is ended, also with files that have no name',
  async (shell, { root }) => {
    const limits = allow({ growthBytes: 64 * mebibyte });
    const fill = 'for n in $(seq 1 4000); do head -c 1048576 /dev/zero > f$n || exit; done';
    const named = await shell(script(fill), limits);
    assert.match(named.text, /it wrote \d+ bytes into the workspace.*sandbox\.growth_bytes/);
    assert.ok(readdirSync(root).length < 4000);
    await shell(script('rm -f f*'));
    const unnamed = await shell(
      script('exec 3> f; rm f; head -c 900000000 /dev/zero >&3; sleep 5'),
      limits,
    );
    assert.match(unnamed.text, /sandbox\.growth_bytes/);
  },
);

testConfined(
  'files, processor time and open files are bounded by the kernel',
  async (shell, { root }) => {
    const file = await shell(
      script('head -c 9000000 /dev/zero > big; echo $?'),
      allow({ fileBytes: mebibyte }),
    );
    assert.notEqual(file.text.trim().split('\n').at(-1), '0');
    assert.ok(statSync(join(root, 'big')).size <= mebibyte);
    const busy = await shell(argv('node', '-e', 'for(;;);'), allow({ cpuSeconds: 1 }));
    assert.ok(busy.exitCode >= 128, String(busy.exitCode));
    assert.equal(busy.timedOut, false);
    const open = `const f=require('fs');let n=0;try{for(;;n++)f.openSync('big')}catch(e){console.log(e.code,n)}`;
    const files = await shell(argv('node', '-e', open), allow({ openFiles: 200 }));
    assert.match(files.text, /^EMFILE 1\d\d\n$/);
    const core = await shell(script('ulimit -c'));
    assert.equal(core.text, '0\n');
  },
);

testConfined('no folder in memory can be filled without bound', async (shell) => {
  const places = ['/', '/dev', '/usr', '/etc', '/proc', '/opt'];
  for (const place of places)
    assert.notEqual((await shell(script(`echo x > ${place}/w`))).exitCode, 0, place);
  const bounded = ['/tmp', '/home/agent', '/run', '/dev/shm'];
  const fill = bounded.map((place) => `head -c 40000000 /dev/zero > ${place}/w && echo filled`);
  const { text } = await shell(script(fill.join('; ')), allow({ tmpBytes: 8 * mebibyte }));
  // /run and /dev/shm have 64 MiB of their own.
  assert.equal(text.match(/filled/g)?.length, 2, text);
});

testConfined(
  'a command that only reads cannot change anything, though it may be redirected',
  async (shell, { root }) => {
    writeFileSync(join(root, 'kept'), 'kept\n');
    const readOnly = { readOnly: true };
    assert.notEqual((await shell('touch new', readOnly)).exitCode, 0);
    assert.notEqual((await shell(script('echo x >> kept'), readOnly)).exitCode, 0);
    assert.equal((await shell('cat kept > copy', readOnly)).exitCode, 0);
    assert.equal(readFileSync(join(root, 'copy'), 'utf8'), 'kept\n');
    assert.deepEqual(readdirSync(root).toSorted(), ['copy', 'kept']);
  },
);

testConfined('what is hidden or protected is so in every folder', async (shell, { root }) => {
  mkdirSync(join(root, 'apps/web'), { recursive: true });
  mkdirSync(join(root, 'deep/repo'), { recursive: true });
  writeFileSync(join(root, 'apps/web/.env'), 'SECRET');
  execFileSync('git', ['init', '-q', '.'], { cwd: join(root, 'deep/repo') });
  execFileSync('cp', ['-r', 'repo/.git', 'bare'], { cwd: join(root, 'deep') });
  const guard = {
    isHidden: (_: readonly string[], name: string) => name === '.env',
    isProtected: (folder: readonly string[], name: string) => [...folder, name].includes('.git'),
  };
  const reads = await shell(
    script('cat apps/web/.env; grep -r SECRET .; mv apps other; cat other/web/.env'),
    { guard },
  );
  assert.doesNotMatch(reads.text, /SECRET/);
  assert.equal(existsSync(join(root, 'other/web/.env')), true);
  assert.doesNotMatch((await shell(script('cat other/web/.env'), { guard })).text, /SECRET/);
  const config = readFileSync(join(root, 'deep/repo/.git/config'), 'utf8');
  for (const attempt of [
    'echo x > deep/repo/.git/hooks/pre-commit',
    'git -C deep/repo config core.fsmonitor ./x',
  ])
    assert.match((await shell(script(attempt), { guard })).text, /deep\/repo\/\.git\//, attempt);
  const away = await shell(script('mv deep/repo/.git deep/repo/old'), { guard });
  assert.notEqual(away.exitCode, 0);
  assert.equal(readFileSync(join(root, 'deep/repo/.git/config'), 'utf8'), config);
  assert.equal(existsSync(join(root, 'deep/repo/.git/hooks/pre-commit')), false);
  const moved = await shell(
    script(
      'mv deep/repo elsewhere && mkdir -p deep/repo/.git/hooks && echo x > deep/repo/.git/hooks/update',
    ),
    { guard },
  );
  assert.match(moved.text, /deep\/repo\/\.git\/hooks\/update \(/);
  const commit =
    'cd elsewhere && echo a > a && git add a && git commit -q -m a && git log --oneline';
  assert.match((await shell(script(commit), { guard })).text, / a\n$/);
});

testConfined('a protected folder keeps its place', async (shell, { root }) => {
  mkdirSync(join(root, 'infra/live'), { recursive: true });
  const guard = guardPaths(['infra/live']);
  assert.notEqual((await shell(script('mv infra other'), { guard })).exitCode, 0);
  assert.notEqual((await shell(script('echo x > infra/live/w'), { guard })).exitCode, 0);
  assert.equal((await shell(script('echo x > infra/w'), { guard })).exitCode, 0);
});

testConfined(
  'a workspace that is removed under a command ends nothing but the command',
  async (shell, { root }) => {
    const running = shell('sleep 0.5');
    setTimeout(() => rmSync(root, { recursive: true }), 150);
    await running;
    assert.ok(!existsSync(root));
  },
);
