import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { PolicyError, readPolicyBundle } from '../../config/policies.ts';
import { checkCase, CheckError } from '../../cli/cases/check.ts';
import { testPolicy } from '../../policies/examples.ts';
import { prepareArgv } from '../../policies/commands/prepare-argv.ts';
import { parsePolicy } from '../../policies/parse.ts';
import { readShipped, shippedDir } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const run = promisify(execFile);
let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'policies-'));
});
after(() => rm(dir, { recursive: true, force: true }));

const bundleIn = async (name: string): Promise<string> => {
  const folder = join(dir, name);
  await mkdir(folder);
  for (const file of ['tools.yaml', 'network.yaml', 'paths.yaml']) {
    await cp(join(shippedDir, file), join(folder, file));
  }
  return folder;
};

suite('reading a bundle', () => {
  test('the digest is of the bytes: the same for a copy, another for a changed comment', async () => {
    const shipped = await readPolicyBundle(shippedDir);
    const folder = await bundleIn('copy');
    const copy = await readPolicyBundle(folder);
    assert.match(copy.sha256, /^[0-9a-f]{64}$/);
    assert.equal(copy.sha256, shipped.sha256);
    assert.equal(copy.dir, folder);
    await writeFile(join(folder, 'network.yaml'), `${copy.files.network}# changed\n`);
    assert.notEqual((await readPolicyBundle(folder)).sha256, shipped.sha256);
  });

  test('every problem is in the message, by file, line and column', async () => {
    const folder = await bundleIn('broken');
    await writeFile(join(folder, 'network.yaml'), 'version: 1\nallow: ["*"]\n');
    await writeFile(join(folder, 'paths.yaml'), 'version: 1\nread:\n  deny: ["../x"]\n');
    await assert.rejects(readPolicyBundle(folder), (error) => {
      assert.ok(error instanceof PolicyError);
      assert.equal(error.problems.length, 2);
      assert.match(error.message, /broken\/network\.yaml:2:9: .*; expected a host/);
      assert.match(error.message, /broken\/paths\.yaml:3:10: /);
      return true;
    });
  });

  const replaced: [string, (file: string) => Promise<unknown>, RegExp][] = [
    ['missing', (file) => rm(file), /tools\.yaml:1:1: the file is missing/],
    ['a folder', (file) => rm(file).then(() => mkdir(file)), /not a file|cannot be read/],
    ['a FIFO', (file) => rm(file).then(() => run('mkfifo', [file])), /it is not a file/],
    ['too large', (file) => writeFile(file, `#${'x'.repeat(300_000)}`), /it has 300001 bytes/],
    ['not UTF-8', (file) => writeFile(file, Buffer.from([0x76, 0xff, 0xfe])), /not UTF-8/],
  ];
  for (const [what, replace, message] of replaced) {
    test(`a file that is ${what} is refused`, async () => {
      const folder = await bundleIn(what.replaceAll(' ', '-'));
      await replace(join(folder, 'tools.yaml'));
      await assert.rejects(readPolicyBundle(folder), message);
    });
  }
});

suite('examples', () => {
  test('those of the shipped bundle hold', async () => {
    const { examples, failures } = testPolicy(await readShipped(), builtIn.toSample);
    assert.deepEqual(failures, []);
    assert.ok(examples > 200);
  });
  test('a wrong one is named with its rule', () => {
    const parsed = parsePolicy({
      tools: [
        'version: 1',
        'tools: { allow: [run_command] }',
        'commands:',
        '  ls: { effect: pure, match: [ls -x, ls], not_match: [ls, ls -x] }',
      ].join('\n'),
      network: 'version: 1\nallow: [{ host: a.example, match: ["http://b.example/"] }]',
      paths: 'version: 1\nwrite: { deny: [{ path: a/**, match: [a, b], not_match: [A/c] }] }',
    });
    assert.ok(parsed.ok);
    const { examples, failures } = testPolicy(parsed.policy, builtIn.toSample);
    assert.equal(examples, 8);
    assert.deepEqual(
      failures.map(({ rule, list, example }) => `${rule} ${list} ${example}`),
      [
        'paths.write.deny[0] match b',
        'paths.write.deny[0] not_match A/c',
        'network.allow[0] match http://b.example/',
        'commands.ls match ls -x',
        'commands.ls not_match ls',
      ],
    );
  });
});

suite('cases', async () => {
  const policy = await readShipped();
  const one = '{"version":1}';
  const small =
    'version: 1\ntools:\n  allow: ["fs.*"]\n  deny: ["fs.delete"]\npaths:\n  write:\n    allow: ["src/*"]\n    deny: ["policies/"]\n';
  const cases: [object, string][] = [
    [{ id: 'a', tool: 'read_file', args: { path: 'a' } }, 'allow'],
    [{ id: 'a', tool: 'read_file', args: { path: '.env' } }, 'deny'],
    [{ id: 'a', tool: 'read_file' }, 'deny'],
    [{ id: 'a', kind: 'path', input: { op: 'read', path: '${OUT}/x' } }, 'deny'],
    [{ id: 'a', kind: 'path', input: { op: 'read', path: '${WS}/x' } }, 'allow'],
    [{ id: 'a', kind: 'path', input: { op: 'write', path: ['x'] } }, 'deny'],
    [
      {
        id: 'a',
        kind: 'path',
        input: { op: 'read', path: 'l/x', setup: [{ symlink: 'l', target: '${OUT}' }] },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'path',
        input: { op: 'read', path: 'l', setup: [{ symlink: 'l', target: 'a/b' }] },
      },
      'allow',
    ],
    [
      {
        id: 'a',
        kind: 'path',
        input: { op: 'write', path: 'l/config', setup: [{ symlink: 'l', target: '.git' }] },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'path',
        input: { op: 'read', path: 'l', setup: [{ symlink: 'l', target: 'l' }] },
      },
      'deny',
    ],
    [{ id: 'a', kind: 'command', input: { shell: 'ls && ls' } }, 'allow'],
    [{ id: 'a', kind: 'command', input: { argv: ['ls'], env: { A: '1' } } }, 'deny'],
    [{ id: 'a', kind: 'command', input: { argv: ['ls'], timeout_ms: 500, setup: [] } }, 'allow'],
    [
      { id: 'a', kind: 'network', input: { url: 'https://a.example/', allow: ['a.example'] } },
      'allow',
    ],
    [{ id: 'a', kind: 'network', input: { url: 'https://a.example/' } }, 'deny'],
    [{ id: 'a', kind: 'network', input: { url: ['https://a.example/'] } }, 'deny'],
    [{ id: 'a', kind: 'network', input: { url: 'https://a.example/', allow: ['*'] } }, 'deny'],
    [
      {
        id: 'a',
        kind: 'network',
        input: {
          url: 'https://a.example/',
          allow: ['a.example'],
          dns: { 'a.example': [['8.8.8.8'], ['127.0.0.1']] },
        },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'network',
        input: { url: 'https://a.example/', allow: ['a.example'], redirects: ['/b'] },
      },
      'allow',
    ],
    [
      {
        id: 'a',
        kind: 'network',
        input: { url: 'https://a.example/', allow: ['a.example'], redirects: ['//b.example/'] },
      },
      'deny',
    ],
    [{ id: 'a', kind: 'policy-yaml', input: { yaml: small } }, 'allow'],
    [{ id: 'a', kind: 'policy-yaml', input: { yaml: `${small}tools: {}\n` } }, 'deny'],
    [{ id: 'a', kind: 'policy-yaml', input: { yaml: '' } }, 'deny'],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'fs.read', path: 'README.md' } },
      },
      'allow',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'fs.write', path: 'src/a.ts' } },
      },
      'allow',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'fs.write', path: 'src/a/b.ts' } },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'fs.write', path: 'policies/a' } },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'fs.delete', path: 'src/a' } },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: { yaml: small, probe: { tool: 'exec', argv: ['ls'] } },
      },
      'deny',
    ],
    [
      {
        id: 'a',
        kind: 'policy-yaml',
        input: {
          yaml: `${small}budgets: { tool_calls: 0 }\n`,
          probe: { tool: 'fs.read', path: 'a' },
        },
      },
      'deny',
    ],
    [{ id: 'a', kind: 'policy-yaml', input: { yaml: one } }, 'deny'],
  ];
  for (const [line, verdict] of cases) {
    test(`${verdict}: ${JSON.stringify(line).slice(0, 160)}`, () => {
      const result = checkCase(policy, line, '/work/ws');
      assert.equal(result?.verdict, verdict, result?.reason);
      assert.equal(result?.id, 'a');
    });
  }
  test('cases of other kinds are left to others, lines of no kind refused', () => {
    assert.equal(checkCase(policy, { id: 'a', kind: 'dashboard', input: {} }, '/w'), undefined);
    for (const line of [null, 5, [], {}, { id: 'a' }, { tool: 5 }]) {
      assert.throws(() => checkCase(policy, line, '/w'), CheckError);
    }
  });
});

suite('fixed arguments', async () => {
  const policy = await readShipped();
  const rg = (...argv: string[]) => prepareArgv(policy, ['rg', ...argv]).slice(2);
  test('they stand after the name and after the subcommand, before what was asked for', () => {
    const argv = prepareArgv(policy, ['git', '-C', 'src', 'diff', 'HEAD']);
    assert.equal(argv[0], 'git');
    assert.ok(argv.includes('core.hooksPath=/dev/null'));
    assert.deepEqual(argv.slice(-6), [
      '-C',
      'src',
      'diff',
      '--no-ext-diff',
      '--no-textconv',
      'HEAD',
    ]);
    assert.deepEqual(prepareArgv(policy, ['rg', 'a']).slice(0, 3), ['rg', '--no-config', 'a']);
    assert.deepEqual(prepareArgv(policy, ['ls', '-l']), ['ls', '-l']);
    assert.deepEqual(prepareArgv(policy, ['nope', 'x']), ['nope', 'x']);
  });
  test('what must have the last word stands behind the options, before "--"', () => {
    const hidden = ['--glob=!.env*', '--glob=!.netrc', '--glob=!.git-credentials'];
    assert.deepEqual(rg('-g', '*', 'a', 'src'), ['-g', '*', 'a', 'src', ...hidden]);
    assert.deepEqual(rg('-g', '*', '--', 'a'), ['-g', '*', ...hidden, '--', 'a']);
    assert.deepEqual(rg('-e', '--', 'src'), ['-e', '--', 'src', ...hidden]);
  });
  test('a program of the workspace is started by npx', () => {
    const argv = prepareArgv(policy, ['./node_modules/.bin/tsc', '-p', '.']);
    assert.deepEqual(argv, ['npx', '--no', 'tsc', '-p', '.']);
  });
  test('a nested command gets its own', () => {
    const argv = prepareArgv(policy, ['timeout', '5', 'git', 'log']);
    assert.deepEqual(argv.slice(0, 4), ['timeout', '5', 'git', '--no-pager']);
    assert.deepEqual(argv.slice(-3), ['log', '--no-ext-diff', '--no-textconv']);
  });
  test('git accepts them, and runs neither hooks nor a file system monitor nor a diff program', async () => {
    const repo = join(dir, 'repo');
    await mkdir(repo);
    const env = {
      PATH: process.env['PATH'],
      HOME: dir,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@b.example',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@b.example',
    };
    const git = (...args: string[]) => run('git', args, { cwd: repo, env });
    const prepared = (...args: string[]) => git(...prepareArgv(policy, ['git', ...args]).slice(1));
    await git('init', '-q');
    await writeFile(join(repo, 'trap.sh'), `#!/bin/sh\ntouch "${repo}/trapped"\n`, { mode: 0o755 });
    await cp(join(repo, 'trap.sh'), join(repo, '.git/hooks/pre-commit'));
    await git('config', 'core.fsmonitor', `${repo}/trap.sh`);
    await git('config', 'diff.external', `${repo}/trap.sh`);
    await writeFile(join(repo, 'a.txt'), 'a\n');
    await prepared('add', 'a.txt');
    await prepared('commit', '-m', 'first');
    await writeFile(join(repo, 'a.txt'), 'b\n');
    for (const args of [
      ['status'],
      ['diff'],
      ['log', '-p'],
      ['show'],
      ['blame', 'a.txt'],
      ['grep', 'b'],
      ['branch'],
    ]) {
      const { stdout } = await prepared(...args);
      assert.notEqual(stdout, '', args[0]);
    }
    await assert.rejects(stat(join(repo, 'trapped')), { code: 'ENOENT' });
    // The trap is a real one: git without the fixed arguments springs it.
    await git('diff').catch(() => undefined);
    assert.equal(await readFile(join(repo, 'trapped'), 'utf8'), '');
  });
});
