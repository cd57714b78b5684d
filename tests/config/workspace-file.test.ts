/**
 * Files of ours in a workspace: read only where they are regular files at their own place, and told of, when they are wrong,
 * without a word of what stands in them.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { after, suite, test } from 'node:test';
import { ConfigError, readSettings } from '../../config/environment.ts';
import { tryHooks } from '../../config/hooks.ts';
import { readPolicyBundle, tightenOrLock } from '../../config/policies.ts';
import { readWorkspaceFile } from '../../config/workspace-file.ts';
import { decide } from '../../policies/decide.ts';
import { shippedDir } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-own-files-')));
after(() => rmSync(root, { recursive: true, force: true }));
const bundle = await readPolicyBundle(shippedDir);
const token = '4e1f7c0a9b2d8365f1c7e0a94b8d2635c1f7e0a94b8d26354e1f7c0a9b2d8365';
const ours = ['policies/tools.yaml', 'policies/paths.yaml', 'hooks.yaml', 'config.yaml'] as const;
type Own = (typeof ours)[number];
let count = 0;

interface Workspace {
  readonly folder: string;
  /** Outside of it, with a secret. */
  readonly secret: string;
}

function makeWorkspace(content = `${token}\n`): Workspace {
  const base = join(root, String((count += 1)));
  mkdirSync(join(base, 'ws'), { recursive: true });
  writeFileSync(join(base, 'secret'), content);
  return { folder: join(base, 'ws'), secret: join(base, 'secret') };
}

/** What dev-agent says of the file; undefined when it takes it. */
function complain(own: Own, folder: string): string | undefined {
  if (own === 'hooks.yaml') {
    const hooks = tryHooks(folder);
    return 'problem' in hooks ? hooks.problem : undefined;
  }
  if (own === 'config.yaml') {
    try {
      readSettings({ env: { HOME: join(folder, '..') }, cwd: folder, container: false });
      return undefined;
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.message;
    }
  }
  const locked = tightenOrLock(bundle, folder);
  const action = builtIn.toAction({ tool: 'read_file', args: { path: 'a' }, workspace: folder });
  const { verdict, reason } = decide(locked.policy, action);
  if (locked.problem === undefined) return undefined;
  assert.equal(verdict, 'deny', 'work goes on under a policy that cannot be read');
  return `${locked.problem}\n${reason}`;
}

function lacksSecret(said: string | undefined, secret = token): void {
  assert.ok(said !== undefined, 'it was taken');
  for (let at = 0; at + 6 <= secret.length; at += 1)
    assert.ok(!said.includes(secret.slice(at, at + 6)), `it shows ${secret.slice(at, at + 6)}`);
}

/** Puts something that is not the file itself in its place. */
const places: Readonly<Record<string, (at: string, workspace: Workspace) => unknown>> = {
  'a link to a file outside': (at, { secret }) => symlinkSync(secret, at),
  'a relative link': (at, { folder }) => {
    writeFileSync(join(folder, 'inside'), 'version: 1\n');
    symlinkSync(at.includes('policies') ? '../../inside' : '../inside', at);
  },
  'a link to nothing': (at) => symlinkSync('/nonexistent/file', at),
  'a FIFO': (at) => execFileSync('mkfifo', [at]),
  'a device': (at) => symlinkSync('/dev/zero', at),
  'a folder': (at) => mkdirSync(at),
  'a file of a gigabyte': (at) => {
    writeFileSync(at, '');
    truncateSync(at, 2 ** 30);
  },
  'bytes that are no text': (at) => writeFileSync(at, Buffer.from([0xff, 0xfe, 0x41])),
};

for (const own of ours)
  suite(`.agent/${own}`, () => {
    for (const [what, place] of Object.entries(places))
      test(`is refused as ${what}`, () => {
        const workspace = makeWorkspace();
        const at = join(workspace.folder, '.agent', own);
        mkdirSync(dirname(at), { recursive: true });
        place(at, workspace);
        const said = complain(own, workspace.folder);
        lacksSecret(said);
        assert.match(said ?? '', new RegExp(own.replaceAll('.', '\\.')));
      });

    test('is refused below a folder that is a link', () => {
      const { folder, secret } = makeWorkspace();
      const outside = join(dirname(secret), 'outside');
      mkdirSync(dirname(join(outside, own)), { recursive: true });
      writeFileSync(join(outside, own), token);
      symlinkSync(outside, join(folder, '.agent'));
      const said = complain(own, folder);
      lacksSecret(said);
      assert.match(said ?? '', /\.agent is a symbolic link/);
    });

    test('as a socket is refused', async () => {
      const { folder } = makeWorkspace();
      const at = join(folder, '.agent', own);
      mkdirSync(dirname(at), { recursive: true });
      const server = createServer().listen(at);
      await once(server, 'listening');
      try {
        assert.match(complain(own, folder) ?? '', /not a file/);
      } finally {
        server.close();
      }
    });
  });

/** Shapes in which a secret may stand in a file that is no policy; SECRET is put in. */
const shapes = [
  'SECRET',
  '"SECRET"',
  'SECRET: x',
  'version: SECRET',
  'version: 1\nSECRET: 1',
  'version: 1\ntools: SECRET',
  'version: 1\ntools: { deny: [{ SECRET: 1 }] }',
  'version: 1\ntools: { deny: [SECRET SECRET] }',
  'version: 1\nread: { deny: [{ path: "a/../SECRET" }] }',
  'version: 1\nread: { deny: [{ path: "SECRET{" }] }',
  'version: 1\ncommands: { "SECRET": { verdict: allow } }',
  'version: 1\ncommands: { "SECRET": { verdict: ask } }',
  'version: 1\ncommands: { git: { sub: { "SECRET": { verdict: ask } } } }',
  'version: 1\nshell: { verdict: SECRET }',
  'version: 1\nbudgets: { steps: SECRET }',
  'version: 1\ndeny: ["http://SECRET:SECRET"]',
  'version: 1\nask: [SECRET, SECRET.]',
  'version: 1\nhooks: SECRET',
  'version: 1\nhooks: [{ name: "SECRET!", command: SECRET }]',
  'version: 1\nhooks: [{ name: a, command: b, when: SECRET }]',
  'version: 1\nhooks: [{ name: SECRET0, command: b }, { name: SECRET0, command: b }]',
  'a: *SECRET',
  'a: !SECRET b',
  '%SECRET',
  '- @SECRET',
  'SECRET\nSECRET: SECRET\n  SECRET',
  'a: "\\SECRET"',
  '{ SECRET',
  'SECRET: 1\nSECRET: 2',
  '? SECRET\n- SECRET',
  'a: 1\n---\nSECRET',
  'model: [SECRET]',
  'model: { SECRET: SECRET }',
  'baseUrl: SECRET',
  'allowNet: SECRET',
  'sandbox: SECRET',
  'policyPreset: SECRET',
  'forceChat: SECRET',
];

for (const own of ['policies/tools.yaml', 'policies/network.yaml', ...ours.slice(1)] as Own[])
  test(`no mistake in .agent/${own} is told with what stands there`, () => {
    // No digits in front: a name, a key and a host may start like this.
    const secret = 'kqzvwjxkqzvwhjxbnmkqzvwjx';
    for (const shape of shapes) {
      const { folder } = makeWorkspace();
      const at = join(folder, '.agent', own);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, shape.replaceAll('SECRET', secret));
      const said = complain(own, folder);
      if (said !== undefined) lacksSecret(said, secret);
    }
  });

test('notices about settings a workspace may not make repeat none of its values', () => {
  const { folder } = makeWorkspace();
  mkdirSync(join(folder, '.agent'));
  writeFileSync(join(folder, '.agent/config.yaml'), `sandbox: none\napiKey: ${token}\n`);
  const source = { env: { HOME: join(folder, '..') }, cwd: folder, container: false };
  const { notices } = readSettings(source);
  assert.equal(notices.length, 2);
  lacksSecret(notices.join('\n'));
});

function write(content: string): string {
  const { folder } = makeWorkspace();
  mkdirSync(join(folder, '.agent'));
  writeFileSync(join(folder, '.agent/a.yaml'), content);
  return folder;
}

suite('a regular file', () => {
  test('is read, by another name of it too', () => {
    const folder = write('x');
    linkSync(join(folder, '.agent/a.yaml'), join(folder, '.agent/b.yaml'));
    for (const name of ['a.yaml', 'b.yaml'])
      assert.deepEqual(readWorkspaceFile(folder, ['.agent', name], 10), {
        state: 'read',
        text: 'x',
      });
  });
  test('that is not there, or whose folder is a file, is missing', () => {
    const folder = write('x');
    for (const names of [
      ['.agent', 'c'],
      ['b', 'c'],
      ['.agent', 'a.yaml', 'c'],
    ])
      assert.deepEqual(readWorkspaceFile(folder, names, 10), { state: 'missing' });
  });
  test('may be as large as is allowed, and not a byte larger', () => {
    assert.equal(readWorkspaceFile(write('x'.repeat(10)), ['.agent', 'a.yaml'], 10).state, 'read');
    assert.deepEqual(readWorkspaceFile(write('x'.repeat(11)), ['.agent', 'a.yaml'], 10), {
      state: 'refused',
      reason: 'it has 11 bytes',
      expected: 'at most 10',
    });
  });
  test('in a folder nobody may enter is refused', { skip: process.getuid?.() === 0 }, () => {
    const folder = write('x');
    chmodSync(join(folder, '.agent'), 0);
    assert.equal(readWorkspaceFile(folder, ['.agent', 'a.yaml'], 10).state, 'refused');
    chmodSync(join(folder, '.agent'), 0o700);
  });
});
