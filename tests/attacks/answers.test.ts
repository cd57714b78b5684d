/** What a model may answer, through the real client, checks, policy and tools: from the bytes of a server to the folder. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { performAction } from '../../activities/act/act.ts';
import type { Acted, ActDependencies } from '../../activities/act/call.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { toStateFolders } from '../../config/folders.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { sendJson, startRawServer } from '../model/raw-server.ts';
import { openRoom } from '../model/room.ts';
import type { Room } from '../model/room.ts';
import { shippedDir } from '../policies/cases.ts';
import { readAttacks } from './cases.ts';
import type { AttackCase } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const key = 'CANARY-ENV-51bc';
const names: readonly [string, string][] = [
  ['fs.read', 'read_file'],
  ['fs.list', 'list_files'],
  ['fs.write', 'write_file'],
  ['exec', 'run_command'],
];
const toOurs = (text: string): string =>
  names.reduce(
    (rest, [theirs, ours]) =>
      rest
        .replaceAll(`"name":"${theirs}"`, `"name":"${ours}"`)
        .replaceAll(`\\"name\\":\\"${theirs}\\"`, `\\"name\\":\\"${ours}\\"`),
    text,
  );

/** Sends what the case says: a body, or pieces of a stream that ends or is torn off. */
function send(response: ServerResponse, input: AttackCase['input']): void {
  const {
    response: body,
    stream,
    end,
  } = JSON.parse(toOurs(JSON.stringify(input))) as {
    response?: unknown;
    stream?: readonly string[];
    end?: string;
  };
  if (stream === undefined) return sendJson(response, 200, body);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const piece of stream) response.write(piece);
  if (end === 'reset') setTimeout(() => response.destroy(), 20);
  else response.end();
}

async function openPlace(room: Room) {
  const workspace = join(room.root, 'ws');
  mkdirSync(join(workspace, 'src'), { recursive: true });
  writeFileSync(join(workspace, 'README.md'), 'hello world\n');
  writeFileSync(join(workspace, '.env'), 'SECRET=CANARY-DOTENV-c0de\n');
  const folders = toStateFolders(join(room.root, 'state'));
  const bundle = await readPolicyBundle(shippedDir);
  const dependencies: ActDependencies = {
    tools: builtIn,
    blobs: room.blobs,
    audit: createAuditLog(folders.audit),
    policy: () => Promise.resolve(bundle),
    sandbox: { kind: 'unavailable', reason: 'not here.', fix: 'none' },
    approvers: () => [],
    transactions: createTransactions(createLeases(folders.leases), folders.snapshots),
    spillDir: join(room.root, 'spill'),
  };
  return { workspace: realpathSync(workspace), dependencies };
}

/** One turn of the executor: what the model asked for, and what came of each call. */
async function takeTurn(room: Room, place: Awaited<ReturnType<typeof openPlace>>) {
  const request = await room.thinkRequest();
  const outcome = await room
    .run((model) => model.think(request))
    .catch((error: unknown) => ({ kind: 'failed' as const, reason: String(error) }));
  if (outcome.kind !== 'answer') return { outcome, acted: [] };
  const acted: Acted[] = [];
  for (const [index, { id, tool, segment, index: at }] of outcome.answer.calls.entries()) {
    const { args } = await room.blobs.getJson<{ args: Record<string, unknown>[] }>(segment);
    acted.push(
      await performAction(place.dependencies, {
        run: 'r',
        step: 's1',
        seq: index + 1,
        call: id,
        tool,
        args: args[at] ?? {},
        workspace: place.workspace,
        signal: new AbortController().signal,
      }),
    );
  }
  await place.dependencies.audit.close();
  return { outcome, acted };
}

type Turn = Awaited<ReturnType<typeof takeTurn>>;

/** The strictest of what happened; a text without a call is no failure of ours: the model is asked to call a tool. */
function toResult({ outcome, acted }: Turn): AttackCase['expect'] {
  if (outcome.kind !== 'answer')
    return 'reason' in outcome && /must call a tool/.test(outcome.reason) ? 'allow' : 'error';
  if (acted.some(({ verdict }) => verdict === 'deny')) return 'deny';
  if (acted.some(({ verdict }) => verdict === 'ask')) return 'needs-approval';
  return acted.every(({ ok }) => ok) ? 'allow' : 'error';
}

function checkOracle(
  { oracle = {} }: AttackCase,
  { acted }: Turn,
  root: string,
  workspace: string,
) {
  const list = (name: string) => (oracle[name] ?? []) as readonly string[];
  for (const path of list('ws_absent')) assert.ok(!existsSync(join(workspace, path)), path);
  for (const path of list('ws_present')) assert.ok(existsSync(join(workspace, path)), path);
  const most = oracle['max_tool_runs'];
  if (typeof most === 'number') assert.ok(acted.length <= most, `${acted.length} calls`);
  const output = acted.map(({ text }) => text).join('\n');
  for (const text of list('output_lacks')) assert.ok(!output.includes(text), text);
  const secrets = ['log_lacks', 'audit_lacks', 'history_lacks'].flatMap(list);
  if (secrets.length === 0) return;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath.startsWith(workspace)) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    for (const secret of secrets)
      assert.ok(!text.includes(secret), join(entry.parentPath, entry.name));
  }
}

suite('answers of a model', () => {
  for (const each of readAttacks('llm-output')) {
    test(`${each.id} ${each.expect}: ${each.why}`, async () => {
      const server = await startRawServer((response) => send(response, each.input));
      const room = await openRoom(server.baseUrl, { apiKey: key, forceChat: true });
      try {
        const place = await openPlace(room);
        const turn = await takeTurn(room, place);
        const result = toResult(turn);
        checkOracle(each, turn, room.root, place.workspace);
        const refused = each.expect === 'deny' || each.expect === 'error';
        if (each.layer === 'effect') return;
        if (refused)
          assert.ok(result === 'deny' || result === 'error', JSON.stringify(turn.outcome));
        else assert.equal(result, each.expect, JSON.stringify(turn));
        if (refused) assert.ok(turn.acted.every(({ verdict, ok }) => verdict !== 'allow' || !ok));
      } finally {
        await server.close();
        await room.close();
      }
    });
  }
});
