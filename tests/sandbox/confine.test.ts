/** What a command in the sandbox can and cannot reach. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { SandboxUnavailable } from '../../activities/sandbox/shell.ts';
import { argv, guardPaths, makePlace, makeShell, script } from './fixture.ts';
import type { Place, Shell } from './fixture.ts';
import { waitFor } from '../setup/wait-for.ts';

/** Where there is no sandbox the test checks that commands are refused. */
function testConfined(
  name: string,
  body: (shell: Shell, place: Place, t: TestContext) => Promise<void>,
): void {
  test(name, async (t) => {
    const place = makePlace(t);
    const shell = await makeShell(place);
    if (shell.sandbox.kind === 'bubblewrap') return await body(shell, place, t);
    assert.equal(shell.sandbox.kind, 'unavailable');
    await assert.rejects(shell('true'), SandboxUnavailable);
  });
}

const git = (root: string, ...args: string[]): void => {
  const id = ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'init.defaultBranch=main'];
  execFileSync('git', [...id, ...args], { cwd: root, stdio: 'ignore' });
};

function makeRepository(root: string): void {
  git(root, 'init', '-q');
  writeFileSync(join(root, 'README.md'), 'hello world\n');
  git(root, 'add', '.');
  git(root, 'commit', '-q', '-m', 'init');
}

testConfined('nothing outside can be read or written', async (shell, { root, out, state }) => {
  writeFileSync(join(out, 'secret'), 'CANARY');
  const paths = [out, state, '/root', '/etc/shadow', '/var', '/sys', process.cwd()];
  const looks = paths.map((path) => `ls -A '${path}' 2>/dev/null`).join('; ');
  const { text } = await shell(script(`${looks}; cat '${out}/secret' 2>/dev/null; true`));
  assert.equal(text, '');
  const program = `require('fs').writeFileSync('${out}/w', 'x')`;
  assert.notEqual((await shell(argv('node', '-e', program))).exitCode, 0);
  for (const place of [`${out}/w`, '/usr/w', '/etc/w', '/w'])
    await shell(script(`echo x > '${place}'`));
  await shell(script(`mkdir -p '${out}' && echo x > '${out}/w'`));
  assert.deepEqual(readdirSync(out), ['secret']);
  assert.equal(existsSync('/usr/w') || existsSync('/etc/w') || existsSync('/w'), false);
  await shell(script('echo y > mine'));
  assert.equal(readFileSync(join(root, 'mine'), 'utf8'), 'y\n');
});

testConfined('settings of the kernel cannot be changed, whoever the operator is', async (shell) => {
  // Opened, not written: where it succeeds, nothing is changed.
  const opened = await shell(
    script(
      'find /proc -path "/proc/[0-9]*" -prune -o -type f -print 2>/dev/null | while read -r file; do (: >> "$file") 2>/dev/null && echo "$file"; done; for own in oom_score_adj clear_refs; do (: >> /proc/self/$own) 2>/dev/null && echo $own; done; ls /sys 2>/dev/null; echo done',
    ),
  );
  assert.equal(opened.text, 'done\n');
  const outputs = await shell(
    script('echo a > /dev/stdout; echo b >> /proc/self/fd/1; echo c >&2'),
  );
  assert.equal(outputs.text, 'a\nb\nc\n', 'descriptors can be opened by their names');
});

testConfined('the kernel ends commands first when memory runs out', async (shell) => {
  const { text } = await shell(
    script('cat /proc/self/oom_score_adj; sh -c "cat /proc/1/oom_score_adj"'),
  );
  assert.equal(text, '1000\n1000\n');
});

testConfined('no environment of ours is seen', async (shell) => {
  process.env['LLM_API_KEY'] = 'CANARY-ENV';
  try {
    const { text } = await shell(script('env; cat /proc/*/environ | tr "\\0" "\\n"'));
    assert.match(text, /^HOME=\/home\/agent$/m);
    assert.doesNotMatch(text, /CANARY|LLM_API/);
    const allowed =
      /^(?:DEV_AGENT_COMMAND|PATH|HOME|TMPDIR|LANG|TERM|NO_COLOR|GIT_\w+|PWD|OLDPWD|SHLVL|_)=/;
    for (const line of text.trim().split('\n')) assert.match(line, allowed);
    const first = await shell('cat /proc/1/environ');
    // All there is: the mark by which what a killed worker leaves behind is found. It means nothing in here.
    assert.match(first.text, /^(?:DEV_AGENT_\w+=[0-9a-f-]{36}\0)*$/);
  } finally {
    delete process.env['LLM_API_KEY'];
  }
});

testConfined(
  'no network, no sockets of the host, no new namespaces',
  async (shell, { root }, t) => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    const local = createServer(() => (connections += 1));
    server.listen(0, '127.0.0.1');
    local.listen(join(root, 'socket'));
    t.after(() => {
      server.close();
      local.close();
    });
    await Promise.all([once(server, 'listening'), once(local, 'listening')]);
    const { port } = server.address() as AddressInfo;
    const connect = (to: string) =>
      shell(
        argv(
          'node',
          '-e',
          `require('net').connect(${to}).on('connect',()=>console.log('in')).on('error',e=>console.log(e.code))`,
        ),
      );
    assert.equal((await connect(`${port},'127.0.0.1'`)).text, 'ECONNREFUSED\n');
    assert.equal((await connect(`53,'192.0.2.1'`)).text, 'ENETUNREACH\n');
    assert.equal((await connect(`'socket'`)).text, 'EPERM\n');
    assert.notEqual((await shell(script('unshare -U true'))).exitCode, 0);
    assert.notEqual((await shell(script('mount -t tmpfs x /tmp'))).exitCode, 0);
    assert.equal(connections, 0);
  },
);

testConfined(
  'protected paths stay, also when their folder is moved; hidden ones are empty',
  async (shell, { root }) => {
    makeRepository(root);
    mkdirSync(join(root, 'policies'));
    writeFileSync(join(root, 'policies/tools.yaml'), 'mine');
    writeFileSync(join(root, '.env'), 'SECRET');
    mkdirSync(join(root, 'certs'));
    writeFileSync(join(root, 'certs/key'), 'SECRET');
    const config = readFileSync(join(root, '.git/config'), 'utf8');
    const guarded = ['.git/config', '.git/hooks', 'policies', 'none'];
    const view = { guard: guardPaths(guarded, ['.env', 'certs', 'none']) };
    for (const attempt of [
      'echo x > .git/config',
      'echo x > .git/hooks/pre-commit',
      'git config core.hooksPath /tmp',
    ])
      assert.match((await shell(script(attempt), view)).text, /\.git\/(?:config|hooks)/, attempt);
    const attempts = [
      'mv .git old && mkdir -p .git/hooks && echo x > .git/hooks/post-commit',
      'rm -rf policies; mkdir policies; echo x > policies/tools.yaml',
      'mv policies elsewhere',
      'cat .env certs/key',
      'echo x > .env',
    ];
    for (const attempt of attempts) {
      const { exitCode, text } = await shell(script(attempt), view);
      assert.notEqual(exitCode, 0, attempt);
      assert.doesNotMatch(text, /SECRET/);
    }
    assert.equal(readFileSync(join(root, '.git/config'), 'utf8'), config);
    assert.equal(readFileSync(join(root, 'policies/tools.yaml'), 'utf8'), 'mine');
    assert.equal(readFileSync(join(root, '.env'), 'utf8'), 'SECRET');
    assert.deepEqual(
      readdirSync(join(root, '.git/hooks')).filter((name) => !name.endsWith('.sample')),
      [],
    );
    assert.equal(existsSync(join(root, 'none')), false, 'nothing is made for what is missing');
    const commit =
      'echo more >> README.md && git add README.md && git commit -q -m more && git log --oneline | wc -l';
    assert.equal((await shell(script(commit), view)).text.trim(), '2');
  },
);

testConfined('the tools of a developer work', async (shell, { root }) => {
  makeRepository(root);
  writeFileSync(join(root, 'package.json'), '{"scripts":{"test":"node --test"}}');
  mkdirSync(join(root, 'test'));
  writeFileSync(join(root, 'test/a.test.js'), "require('node:test')('adds',()=>{})");
  for (const line of [
    'git status --porcelain',
    'node --test',
    'node -p 1+1',
    'ls -la',
    'sed -n 1p README.md',
  ]) {
    const { exitCode, text } = await shell(line);
    assert.equal(exitCode, 0, `${line}: ${text}`);
  }
  assert.equal((await shell('node --version')).text.trim(), process.version);
  for (const [program, line] of [
    ['npm', 'npm test'],
    ['python3', 'python3 -c "print(1)"'],
    ['rg', 'rg hello'],
  ]) {
    if (program === undefined || line === undefined || !existsSync(`/usr/bin/${program}`)) continue;
    const { exitCode, text } = await shell(line);
    assert.equal(exitCode, 0, `${line}: ${text}`);
  }
  assert.equal(lstatSync(join(root, 'README.md')).uid, process.getuid?.());
  const home = await shell(
    script('echo $HOME; touch ~/x /tmp/y && ls ~ /tmp; df -k /tmp | tail -1'),
  );
  assert.match(home.text, /^\/home\/agent\n/);
  assert.equal(
    (await shell(script('ls -A ~ /tmp/y'))).exitCode,
    2,
    'home and /tmp are new each time',
  );
});

testConfined('a flood of processes and of files stays bounded', async (shell, { root }) => {
  const flood = `const { spawn } = require('child_process');
    for (let n = 0; n < 900; n++) try { spawn('sleep', ['30'], { stdio: 'ignore' }).on('error', () => {}) } catch {}
    console.log(require('fs').readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length); process.exit()`;
  const { text } = await shell(argv('node', '-e', flood));
  const unbounded = process.getuid?.() === 0 && !existsSync('/sys/fs/cgroup/pids');
  if (!unbounded) assert.ok(Number(text) <= 600, text);
  assert.ok(Number(text) > 100, text);
  const file = await shell(script('dd if=/dev/zero of=big bs=1M seek=1024 count=1; echo $?'));
  assert.notEqual(file.text.trim().split('\n').at(-1), '0');
  assert.ok(!existsSync(join(root, 'big')) || statSync(join(root, 'big')).size <= 1_073_741_824);
  const memory = await shell(script('dd if=/dev/zero of=/tmp/big bs=1M count=400 2>&1 | tail -1'));
  assert.equal(memory.timedOut, false);
  assert.equal((await shell('true')).exitCode, 0);
});

testConfined(
  'a hook made in a new repository is put out of action, and said',
  async (shell, { root, out }) => {
    makeRepository(root);
    writeFileSync(join(root, '.git/hooks/pre-push'), '#!/bin/sh\n', { mode: 0o755 });
    await new Promise((resolve) => setTimeout(resolve, 120));
    const plant = `const f=require('fs');f.mkdirSync('sub/.git/hooks',{recursive:true});
    f.writeFileSync('sub/.git/hooks/pre-commit','#!/bin/sh',{mode:0o755})`;
    const { text } = await shell(argv('node', '-e', plant), { guard: guardPaths(['.git/hooks']) });
    assert.match(text, /sub\/\.git\/hooks\/pre-commit \(git would start it\)/);
    assert.deepEqual(readdirSync(join(root, 'sub/.git/hooks')), ['pre-commit.disarmed']);
    const nested = `git init -q other; git -C other config core.fsmonitor 'touch ${out}/w';
    git init -q --bare bare.git; printf '#!/bin/sh' > bare.git/hooks/update; git init -q plain`;
    const second = await shell(script(nested));
    assert.match(second.text, /bare\.git\/hooks\/update \(git would start it\)/);
    assert.match(second.text, /other\/\.git\/config \(.*: core\.fsmonitor\)/);
    assert.equal(existsSync(join(root, 'plain/.git/config')), true, 'an ordinary repository stays');
    assert.deepEqual(
      readdirSync(join(root, '.git/hooks')).filter((name) => name === 'pre-push'),
      ['pre-push'],
    );
  },
);

testConfined('a killed caller leaves no process', async (_, { root, state }) => {
  const seconds = 7_000 + (process.pid % 900);
  const program = `import { probeSandbox } from '${url('sandbox')}';
    import { runCommandLine } from '${url('shell')}';
    const sandbox = await probeSandbox('auto', '${state}/sandbox');
    const line = { kind: 'shell', why: '', cwd: '.', text: 'setsid sleep ${seconds} & sleep ${seconds} & echo up; wait' };
    await runCommandLine(line, { root: '${root}', sandbox, timeoutMs: 60000, maxOutputBytes: 1000, signal: new AbortController().signal,
      guard: { isHidden: () => false, isProtected: () => false }, spillDir: '${state}/spill', authorize() {}, onOutput: () => process.stdout.write('up') });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const isGone = (): boolean => !readdirSync('/proc').some((pid) => isSleep(pid, seconds));
  await waitFor('the last process to end', isGone, 5_000);
});

const url = (name: string): string =>
  new URL(`../../activities/sandbox/${name}.ts`, import.meta.url).href;

function isSleep(pid: string, seconds: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`sleep\0${seconds}\0`);
  } catch {
    return false;
  }
}
