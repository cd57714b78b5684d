import { once } from 'node:events';
import { closeSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { usualLimits } from '../../policies/limits.ts';
import type { Sandbox } from './bubblewrap.ts';
import { killGroup, startProcess } from './start.ts';

const timeoutMs = 10_000;

/** Attempts that must fail inside, each a test that succeeds on a breach, and the message for it. */
const canaries: readonly (readonly [test: string, problem: string])[] = [
  ['env | grep -q CANARY', 'the environment is visible'],
  ['cat /proc/*/environ 2>/dev/null | grep -q CANARY', 'the environment is visible in /proc'],
  ['(echo x >> guarded) 2>/dev/null', 'a protected file is writable'],
  ['(mkdir sub/x || mv sub sub2) 2>/dev/null && test ! -e sub', 'a protected folder can be moved'],
  ['test -s hidden', 'a hidden file is readable'],
  ['(echo x > /usr/canary) 2>/dev/null', '/usr is writable'],
  ['(echo x > /canary || echo x > /dev/canary) 2>/dev/null', 'memory can be filled with files'],
  ['test -e "$1"', 'files outside the workspace are readable'],
  ['test -e /etc/shadow', 'the host is visible'],
  ['test -e /sys/kernel', '/sys is visible'],
  // Opens for writing without writing: a canary must do no harm if it succeeds.
  [
    'for file in sys/kernel/core_pattern sys/kernel/hostname sysrq-trigger mtrr self/oom_score_adj; do (: >> /proc/$file) && break; done 2>/dev/null',
    '/proc is writable',
  ],
  ['unshare -U true 2>/dev/null', 'namespaces can be made inside'],
  ['test "$(wc -l < /proc/net/dev)" -gt 3', 'the network is visible'],
  ['bash -c "exec 3<>/dev/tcp/127.0.0.1/$2" 2>/dev/null', 'the host answers on its network'],
  ['! (echo x > writable) 2>/dev/null', 'the workspace is not writable'],
];

/** Tries to escape from the real profile. Undefined if every attempt fails; otherwise the first that did not. */
export async function checkConfinement(
  sandbox: Extract<Sandbox, { kind: 'bubblewrap' }>,
  folder: string,
): Promise<string | undefined> {
  const base = realpathSync(await mkdtemp(join(folder, 'canary-')));
  const root = join(base, 'workspace');
  const outside = join(base, 'outside');
  const log = join(base, 'log');
  const server = createServer((socket) => socket.destroy());
  process.env['DEV_AGENT_CANARY'] = 'CANARY';
  try {
    await mkdir(join(root, 'sub'), { recursive: true });
    const files = [outside, join(root, 'guarded'), join(root, 'hidden'), join(root, 'sub/kept')];
    for (const file of files) await writeFile(file, 'CANARY');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = [
      ...canaries.map(([test, problem]) => `if ${test}; then echo "${problem}"; exit 1; fi`),
      // Writes should land in the sandbox's own memory; the file outside shows whether they did.
      '(echo x > "$1") 2>/dev/null',
      'echo confined',
    ].join('\n');
    const out = openSync(log, 'wx', 0o600);
    const view = {
      root,
      cwd: '.',
      protectedPaths: ['guarded', 'sub/kept'],
      hiddenPaths: ['hidden'],
    };
    const child = startProcess({
      argv: ['/bin/sh', '-c', script, 'sh', outside, String(port)],
      sandbox,
      view,
      stdio: ['ignore', out, out],
      limits: usualLimits,
    });
    closeSync(out);
    const late = setTimeout(() => killGroup(child), timeoutMs);
    try {
      await once(child, 'exit');
    } finally {
      clearTimeout(late);
    }
    const said = readFileSync(log, 'utf8').trim();
    if (said !== 'confined') return said.split('\n').at(-1) || 'it did not start';
    return readFileSync(outside, 'utf8') === 'CANARY'
      ? undefined
      : 'files outside the workspace are writable';
  } finally {
    delete process.env['DEV_AGENT_CANARY'];
    server.close();
    await rm(base, { recursive: true, force: true });
  }
}
