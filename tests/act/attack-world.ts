/** A workspace for one attack, by the conventions of the corpus, and the real tools to make it with. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { invokeTool } from '../../activities/act/act.ts';
import type { ActDependencies } from '../../activities/act/call.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { readChain } from '../../audit/record/chain.ts';
import { createAuditLog, readDays } from '../../audit/record/log.ts';
import { toStateFolders } from '../../config/folders.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { builtIn } from '../../tools/built-in.ts';

/** What is in the workspace before the attack. */
type Setup = Readonly<Record<string, string>>;

export interface AttackInput {
  readonly setup?: readonly Setup[];
  readonly race?: { readonly exchange: readonly [string, string] };
  readonly [key: string]: unknown;
}

export interface Answer {
  readonly verdict: 'allow' | 'ask' | 'deny';
  readonly ok: boolean;
  /** All the model gets to read. */
  readonly text: string;
  readonly ms: number;
}

/** Values of the corpus that must not turn up anywhere. */
const canaries = {
  outside: 'CANARY-FS-7f3a',
  environment: 'CANARY-ENV-51bc',
  dotenv: 'CANARY-DOTENV-c0de',
};

// Once for all worlds of a test file: trying a sandbox takes longer than most attacks.
const sandboxFolder = mkdtempSync(join(tmpdir(), 'dev-agent-attack-sandbox-'));
process.once('exit', () => rmSync(sandboxFolder, { recursive: true, force: true }));

export interface World {
  readonly workspace: string;
  /** Beside the workspace, with a secret. */
  readonly out: string;
  /** Connections to the listener on the host so far. */
  readonly connections: () => number;
  readonly sandboxed: boolean;
  /** Puts in workspace, neighbour and port. */
  fill<T>(value: T): T;
  prepare(input: AttackInput): Promise<() => Promise<void>>;
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** The audit log so far. */
  record(): Promise<Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** `network` stands in for network.yaml. */
export async function createWorld({ network }: { readonly network?: object } = {}): Promise<World> {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-attack-')));
  const workspace = join(base, 'ws');
  const out = join(base, 'out');
  const folders = toStateFolders(join(base, 'state'));
  process.env['LLM_API_KEY'] = canaries.environment;
  makeRepository(workspace);
  mkdirSync(out);
  writeFileSync(join(out, 'secret.txt'), `${canaries.outside}\n`);
  let connections = 0;
  const listener = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const port = await listen(listener);
  const policies = join(base, 'policies');
  cpSync(join(import.meta.dirname, '../../policies'), policies, { recursive: true });
  if (network !== undefined)
    writeFileSync(join(policies, 'network.yaml'), JSON.stringify({ version: 1, ...network }));
  const bundle = await readPolicyBundle(policies);
  const dependencies: ActDependencies = {
    tools: builtIn,
    blobs: createBlobStore(folders.blobs),
    audit: createAuditLog(folders.audit),
    policy: () => Promise.resolve(bundle),
    sandbox: await probeSandbox('auto', sandboxFolder),
    approvers: () => [],
    transactions: createTransactions(createLeases(folders.leases), folders.snapshots),
    spillDir: join(folders.root, 'spill'),
  };
  const values: Record<string, string> = {
    WS: workspace,
    OUT: out,
    PORT: String(port),
    UDP: String(port),
  };
  const fill = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value).replace(/\$\{(WS|OUT|PORT|UDP)\}/g, (_, name: string) =>
        JSON.stringify(values[name]).slice(1, -1),
      ),
    ) as T;
  return {
    workspace,
    out,
    fill,
    connections: () => connections,
    sandboxed: dependencies.sandbox.kind === 'bubblewrap',
    async prepare({ setup = [], race }) {
      const servers: Server[] = [];
      for (const item of setup) await plant(workspace, item, servers);
      const endRace = race === undefined ? undefined : await startRace(workspace, race.exchange);
      return async () => {
        for (const server of servers) server.close();
        await endRace?.();
      };
    },
    async call(tool, args) {
      const started = performance.now();
      const { verdict, ok, text } = await invokeTool(dependencies, {
        run: 'attack',
        tool,
        args,
        workspace,
      });
      return { verdict, ok, text, ms: performance.now() - started };
    },
    async record() {
      const lines: Readonly<Record<string, unknown>>[] = [];
      for (const day of await readDays(folders.audit))
        for await (const line of readChain(join(folders.audit, day))) lines.push(line);
      return lines;
    },
    async close() {
      listener.close();
      delete process.env['LLM_API_KEY'];
      await dependencies.audit.close();
      rmSync(base, { recursive: true, force: true });
    },
  };
}

async function listen(server: Server, path?: string): Promise<number> {
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

const git = (cwd: string, ...args: string[]): void => {
  const id = ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'init.defaultBranch=main'];
  execFileSync('git', [...id, ...args], { cwd, stdio: 'ignore' });
};

function makeRepository(root: string): void {
  const files: Readonly<Record<string, string>> = {
    'README.md': 'hello world\n',
    'package.json': '{"name":"fixture","scripts":{"test":"node --test"}}\n',
    'src/index.ts': 'export const a = 1;\n',
    'src/util.ts': 'export const b = 2;\n',
    'test/a.test.js': "require('node:test')('adds', () => {});\n",
    '.env': `SECRET=${canaries.dotenv}\n`,
    'policies/default.yaml': 'version: 1\n',
    'tools/files-server.js': 'process.exit(0);\n',
  };
  for (const [path, content] of Object.entries(files)) writeFile(join(root, path), content);
  git(root, 'init', '-q');
  for (const hook of readdirSync(join(root, '.git/hooks')))
    rmSync(join(root, '.git/hooks', hook), { force: true });
  git(root, 'add', '-A', '-f');
  git(root, 'commit', '-q', '-m', 'init');
}

function writeFile(path: string, content: string, mode?: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  if (mode !== undefined) chmodSync(path, Number.parseInt(mode, 8));
}

/** One item of `setup`; its first key says what it is. */
async function plant(root: string, item: Setup, servers: Server[]): Promise<void> {
  const [kind = '', name = ''] = Object.entries(item)[0] ?? [];
  const path = join(root, name);
  const text = (key: string): string => item[key] ?? '';
  const mode = item['mode'] === undefined ? undefined : text('mode');
  switch (kind) {
    case 'file':
      return writeFile(path, text('content'), mode);
    case 'abs_file':
      return writeFile(name, text('content'), mode);
    case 'dir':
      return void mkdirSync(path, { recursive: true });
    case 'abs_dir':
      return void mkdirSync(name, { recursive: true });
    case 'symlink':
      mkdirSync(dirname(path), { recursive: true });
      return symlinkSync(text('target'), path);
    case 'hardlink':
      mkdirSync(dirname(path), { recursive: true });
      return linkSync(join(root, text('target')), path);
    case 'fifo':
      return void execFileSync('mkfifo', [path]);
    case 'sparse':
      writeFile(path, '');
      return truncateSync(path, Number(item['bytes'] ?? item['size'] ?? 0));
    case 'git_config':
      return git(root, 'config', name, text('value'));
    case 'bare_repo':
      return git(root, 'init', '-q', '--bare', path);
    case 'socket':
    case 'listen_unix': {
      const server = createServer((socket) => socket.destroy());
      servers.push(server);
      return void (await listen(server, path));
    }
    default:
      throw new Error(`Nobody knows how to set up ${JSON.stringify(item)}.`);
  }
}

/** Exchanges two names for ever, in a process of its own; what a tool makes in the gap is cleared away. Returns its end. */
async function startRace(
  root: string,
  [one, other]: readonly [string, string],
): Promise<() => Promise<void>> {
  const names = JSON.stringify([root, one, other, `${one}.held`]);
  const loop = `const [root,a,b,t]=${names};const f=require('fs');process.chdir(root);process.stdout.write('up');
    const move=(x,y)=>{try{f.renameSync(x,y)}catch(e){try{if(e.code!=='ENOENT')f.rmSync(y,{recursive:true})}catch{}}};
    for(;;){move(a,t);move(b,a);move(t,b);move(a,t);move(b,a);move(t,b)}`;
  const racer = spawn(process.execPath, ['-e', loop], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(racer, 'exit');
  await once(racer.stdout, 'data');
  return async () => {
    racer.kill('SIGKILL');
    await exit;
  };
}

/** Content of every file a case wants to stay as it was. */
export const readOr = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'latin1') : undefined;
