/** A workspace with protected files in it, and commands in it as a run would call them, with a person who answers. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performAction } from '../../activities/act/act.ts';
import type { ActDependencies, Acted } from '../../activities/act/call.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import type { Observation } from '../../activities/contract/act.ts';
import type { Approval, ApprovalDetails } from '../../activities/contract/approval.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { signAnswer } from '../../audit/record/keys/answer-signature.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { readChain } from '../../audit/record/chain.ts';
import { createAuditLog, readDays } from '../../audit/record/log.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { toStateFolders } from '../../config/folders.ts';
import { readPolicyBundle, tightenOrLock } from '../../config/policies.ts';
import type { PolicyBundle } from '../../config/policies.ts';
import { shippedDir } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

/** Once for all rooms of a process; one that may be killed has its own in the room, so that it goes with that. */
function makeSandboxFolder(room: string | undefined): string {
  if (room !== undefined) {
    mkdirSync(join(room, 'sandbox'), { recursive: true });
    return join(room, 'sandbox');
  }
  const folder = mkdtempSync(join(tmpdir(), 'dev-agent-protected-sandbox-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let probed: Promise<Sandbox> | undefined;

/** Protected and ordinary files of the workspace. */
const files: Readonly<Record<string, string>> = {
  'README.md': 'hello\n',
  'package.json': '{"name":"shop","scripts":{"test":"node --test"}}\n',
  'src/index.js': 'export const a = 1;\n',
  'AGENTS.md': 'Be kind.\n',
  '.npmrc': 'save-exact=true\n',
  '.vscode/settings.json': '{}\n',
  '.github/workflows/ci.yml': 'on: push\n',
  'packages/a/.vscode/tasks.json': '{}\n',
  'packages/a/index.js': 'export {};\n',
  '.gitignore': '.env\n',
  '.env': 'SECRET=CANARY\n',
  '.agent/hooks.yaml': 'version: 1\nhooks: []\n',
};

export interface ProtectedRoom {
  readonly folder: string;
  readonly workspace: string;
  readonly dependencies: ActDependencies;
  /** A command as the next action of the run. */
  run(command: string): Promise<Acted & { readonly seq: number }>;
  /** The same action again: what a worker does that takes over after a crash. */
  again(command: string, seq: number, more?: More): Promise<Acted & { readonly seq: number }>;
  /** What a person says to a change that is held back. */
  answer(
    command: string,
    asked: { readonly seq: number; readonly digest: string },
    answer: 'approve' | 'deny',
  ): Promise<Acted & { readonly seq: number }>;
  approve(digest: string, answer: 'approve' | 'deny'): Approval;
  details(acted: Acted): Promise<ApprovalDetails>;
  /** All that the model reads. */
  text(acted: Acted): Promise<string>;
  readonly read: (path: string) => string | undefined;
  write(path: string, content: string): void;
  record(): Promise<Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

interface More {
  readonly change?: Approval;
  readonly attempt?: number;
}

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
    cwd,
    encoding: 'utf8',
  });

export async function createProtectedRoom({
  policy,
  sandbox,
  folder,
}: {
  /** Of a room that is there already, as another worker finds it; it stays when that closes. */
  readonly folder?: string;
  readonly policy?: (bundle: PolicyBundle) => PolicyBundle;
  readonly sandbox?: Sandbox;
} = {}): Promise<ProtectedRoom> {
  const base = folder ?? realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-protected-')));
  const workspace = join(base, 'ws');
  const folders = toStateFolders(join(base, 'state'));
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(workspace, path)), { recursive: true });
    writeFileSync(join(workspace, path), content);
  };
  if (folder === undefined) {
    for (const [path, content] of Object.entries(files)) write(path, content);
    git(workspace, 'init', '-q', '-b', 'main');
    git(workspace, 'add', '-A');
    git(workspace, 'commit', '-q', '-m', 'init');
  }
  const shipped = await readPolicyBundle(shippedDir);
  const key = ensureSigningKey(join(base, 'key'));
  probed ??= probeSandbox('auto', makeSandboxFolder(folder));
  const audit = createAuditLog(folders.audit);
  const blobs = createBlobStore(folders.blobs);
  const create = async (): Promise<ActDependencies> => ({
    tools: builtIn,
    blobs,
    audit,
    policy: (at) =>
      Promise.resolve(tightenOrLock(policy === undefined ? shipped : policy(shipped), at)),
    sandbox: sandbox ?? (await (probed as Promise<Sandbox>)),
    approvers: () => [key],
    transactions: createTransactions(createLeases(folders.leases), folders.snapshots),
    spillDir: join(folders.root, 'spill'),
  });
  let dependencies = await create();
  let count = 0;
  /** What let each action run at all, where that was asked. */
  const approvals = new Map<number, Approval>();
  const again: ProtectedRoom['again'] = async (command, seq, more = {}) => ({
    ...(await performAction(dependencies, {
      run: 'r',
      step: 's1',
      seq,
      call: `c${seq}`,
      tool: 'run_command',
      workspace,
      args: { command },
      signal: new AbortController().signal,
      ...more,
      approval: approvals.get(seq),
    })),
    seq,
  });
  const approve = (digest: string, answer: 'approve' | 'deny'): Approval => {
    const said = { request: 'a1', digest, answer, by: 'tester' } as const;
    return { ...said, signature: signAnswer(key, { ...said, run: 'r' }) };
  };
  return {
    folder: base,
    workspace,
    write,
    again,
    approve,
    get dependencies() {
      return dependencies;
    },
    async run(command) {
      const first = await again(command, (count += 1));
      if (first.verdict !== 'ask' || first.change === true) return first;
      // Asked about the command itself: a person lets it run.
      approvals.set(first.seq, approve(first.digest, 'approve'));
      return await again(command, first.seq);
    },
    answer: (command, asked, answer) =>
      again(command, asked.seq, { change: approve(asked.digest, answer) }),
    text: async ({ observation, text }) =>
      observation === undefined ? text : (await blobs.getJson<Observation>(observation)).text,
    details: (acted) => blobs.getJson<ApprovalDetails>(acted.details ?? ''),
    read: (path) => {
      const file = join(workspace, path);
      const stat = lstatSync(file, { throwIfNoEntry: false });
      if (stat?.isSymbolicLink() === true) return `-> ${readlinkSync(file)}`;
      return existsSync(file) && stat?.isFile() === true ? readFileSync(file, 'utf8') : undefined;
    },
    async record() {
      const lines: Readonly<Record<string, unknown>>[] = [];
      for (const day of await readDays(folders.audit))
        for await (const line of readChain(join(folders.audit, day))) lines.push(line);
      return lines;
    },
    async close() {
      await audit.close();
      if (folder === undefined) rmSync(base, { recursive: true, force: true });
    },
  };
}
