/** Whatever a command does to git's own files, the operator's git starts no program and goes nowhere because of it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { parseCommand } from '../../../policies/commands/shell.ts';
import { makePlace, makeShell, script } from '../fixture.ts';
import type { Place } from '../fixture.ts';

interface Attack {
  readonly name: string;
  /** Done by the operator before: shell text, or the name of a scene. */
  readonly setup?: string;
  /** Run in the sandbox one after another: `=` as a line of its own processes, `!` until it is stopped, others by a shell. */
  readonly lines: readonly string[];
  /** What else the operator does afterwards. */
  readonly user?: string;
}

const attacks = readFileSync(new URL('attacks.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Attack);

const scenes: Readonly<Record<string, string>> = {
  nested: 'git init -q nested; echo n > nested/n; git -C nested add n; git -C nested commit -qm n',
  submodule:
    'git -c protocol.file.allow=always submodule --quiet add "$OUT/repo" mod; git commit -qm mod',
  worktree: 'git worktree add -q side',
};

interface Operator {
  readonly environment: NodeJS.ProcessEnv;
  readonly run: string;
  readonly mark: string;
  readonly sh: (text: string, cwd?: string) => string;
}

/** Somebody with a repository beside the workspace, and a program that leaves a mark. */
function createOperator({ root, out }: Place): Operator {
  const mark = join(out, 'mark');
  const run = join(root, 'run.sh');
  const environment = {
    PATH: process.env['PATH'],
    HOME: out,
    GIT_CONFIG_NOSYSTEM: '1',
    OUT: out,
    RUN: run,
    MARK: mark,
    GIT_EDITOR: 'true',
  };
  const sh = (text: string, cwd = root): string => {
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', text], {
      cwd,
      env: environment,
      encoding: 'utf8',
      timeout: 20_000,
    });
    return stdout + stderr;
  };
  writeFileSync(
    join(out, '.gitconfig'),
    '[user]\n\tname = o\n\temail = o@o\n[init]\n\tdefaultBranch = main\n',
  );
  writeFileSync(run, `#!/bin/sh\necho "$0 $*" >> '${mark}'\ncat 2>/dev/null\nexit 0\n`);
  chmodSync(run, 0o755);
  writeFileSync(join(out, 'victim'), 'as it was\n');
  mkdirSync(join(out, 'repo'));
  sh('git init -q; echo secret > s; git add s; git commit -qm s', join(out, 'repo'));
  sh('git init -q; echo a > a; git add -A; git commit -qm first');
  return { environment, run, mark, sh };
}

/** What the operator does in every folder of the workspace, and where a repository is. */
const everywhere =
  'git status >/dev/null 2>&1; git rev-parse --git-dir --git-common-dir --show-toplevel 2>/dev/null | sed "s/^/AT /"';
const inRepository =
  'if [ -e .git ] || [ -e HEAD ]; then git log --oneline -3; git diff; git add -A -n; fi';

function findFolders(root: string): string[] {
  const fanOut = ['(', '-name', '[0-9a-f][0-9a-f]', '-o', '-name', 'pack', ')', '-prune', '-o'];
  const found = execFileSync('find', [root, ...fanOut, '-type', 'd', '-print0'], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1e9,
  });
  return found.split('\0').filter((path) => path !== '');
}

/** Uses git everywhere, as a prompt or an editor would. Returns what went where it should not. */
function useGit({ root, out }: Place, { sh, environment }: Operator): string[] {
  const astray: string[] = [];
  const folders = findFolders(root);
  for (const folder of folders) {
    // Buffers are no working folders for node: a shell goes there by the bytes.
    const text = `cd "$(cat)" 2>/dev/null && { ${everywhere}; ${inRepository}; }`;
    const { stdout } = spawnSync('/bin/sh', ['-c', text], {
      input: Buffer.from(folder, 'latin1'),
      env: environment,
      encoding: 'latin1',
      timeout: 20_000,
    });
    for (const line of stdout.split('\n'))
      if (line.startsWith(`AT ${out}`)) astray.push(`${folder}: ${line}`);
  }
  sh('git submodule status; git worktree list; git status');
  return astray;
}

async function attack(context: TestContext, { setup = '', lines, user }: Attack): Promise<void> {
  const place = makePlace(context);
  const operator = createOperator(place);
  const { sh, environment, mark } = operator;
  for (const part of setup === '' ? [] : setup.split('; ')) sh(scenes[part] ?? part);
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
  const names = `export OUT='${place.out}' RUN='${environment['RUN']}' MARK='${mark}';`;
  const said: string[] = [];
  for (const line of lines) {
    const isStopped = line.startsWith('!');
    const command = line.startsWith('=')
      ? parseCommand(line.slice(1))
      : script(`${names} ${isStopped ? line.slice(1) : line}`);
    const outcome = await shell(command, isStopped ? { timeoutMs: 1_500 } : {});
    said.push(outcome.text);
  }
  const before = readdirSync(place.out).toSorted();
  const astray = useGit(place, operator);
  if (user !== undefined) sh(user);
  const shown = said.join('\n');
  assert.equal(existsSync(mark) ? readFileSync(mark, 'utf8') : '', '', shown);
  assert.deepEqual(astray, [], shown);
  assert.deepEqual(
    readdirSync(place.out).toSorted(),
    before,
    'nothing was put beside the workspace',
  );
  assert.equal(readFileSync(join(place.out, 'victim'), 'utf8'), 'as it was\n');
}

suite('no program is started and nothing read or written elsewhere by', () => {
  const only = new RegExp(process.env['ONLY'] ?? '');
  for (const each of attacks)
    if (only.test(each.name)) test(each.name, (context) => attack(context, each));
});

test('the same holds for an operator who is not root', { skip: process.getuid?.() !== 0 }, () => {
  const { status, stdout } = spawnSync(
    'setpriv',
    [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      '--test',
      fileURLToPath(import.meta.url),
    ],
    {
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', ONLY: 'cannot|moved|pointer|link' },
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stdout);
});
