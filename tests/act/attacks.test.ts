/**
 * Every attack of `cases/attacks.jsonl`, carried out by the real tools. With a file of the same form in ATTACK_CORPUS, or
 * beside the repository in `../shared/corpus`, those as well.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { createWorld, readOr } from './attack-world.ts';
import { readShipped } from '../policies/cases.ts';
import { makeRequest } from './network-attack.ts';
import type { NetworkInput } from './network-attack.ts';
import type { Answer, AttackInput, World } from './attack-world.ts';

interface Oracle {
  readonly output_lacks?: readonly string[];
  readonly output_has?: readonly string[];
  readonly ws_absent?: readonly string[];
  readonly ws_present?: readonly string[];
  readonly ws_unchanged?: readonly string[];
  readonly ws_changed?: readonly string[];
  readonly out_absent?: readonly string[];
  readonly out_unchanged?: readonly string[];
  readonly no_connect?: boolean;
  readonly max_ms?: number;
  readonly max_output_bytes?: number;
  readonly never_dial?: readonly string[];
}

interface Case {
  readonly id: string;
  readonly kind: string;
  readonly input: AttackInput;
  readonly expect: 'allow' | 'deny' | 'error' | 'needs-approval';
  readonly why: string;
  /** `policy`: refused before anything starts. `effect`: whatever is said, nothing may come of it. */
  readonly layer?: 'policy' | 'effect' | 'any';
  readonly oracle?: Oracle;
}

const shared =
  process.env['ATTACK_CORPUS'] ??
  join(import.meta.dirname, '../../../shared/corpus/attack-corpus-shared.jsonl');
const files = [
  join(import.meta.dirname, 'cases/attacks.jsonl'),
  ...(existsSync(shared) ? [shared] : []),
];
/** For a call that names no limit of its own; generous, since other tests run beside this one. */
const usualMs = 60_000;
const opTools: Readonly<Record<string, string>> = {
  read: 'read_file',
  write: 'write_file',
  list: 'list_files',
  delete: 'delete_file',
  edit: 'edit_file',
  search: 'search',
};

const readCases = (file: string): Case[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Case);

for (const file of files) {
  suite(file.slice(file.lastIndexOf('/') + 1), () => {
    for (const each of readCases(file)) {
      if (each.kind === 'path' || each.kind === 'command')
        test(`${each.id} ${each.expect}: ${each.why}`, () => check(each));
      if (each.kind === 'network')
        test(`${each.id} ${each.expect}: ${each.why}`, () => checkRequest(each));
    }
  });
}

async function checkRequest({ input, expect, oracle, layer }: Case): Promise<void> {
  const answer = await makeRequest(await readShipped(), input as unknown as NetworkInput);
  if (layer !== 'effect') assert.equal(answer.allowed, expect === 'allow', answer.said);
  for (const address of oracle?.never_dial ?? [])
    assert.ok(!answer.dialled.includes(address), `${address} was dialled`);
}

async function check(given: Case): Promise<void> {
  const world = await createWorld();
  try {
    const { input, oracle = {}, ...one } = world.fill(given);
    const end = await world.prepare(input);
    const before = remember(world, oracle);
    try {
      const answers = await attack(world, one.kind, input);
      judge(one, answers.at(-1) as Answer);
      checkOracle(world, oracle, { answers, before });
    } finally {
      await end();
    }
  } finally {
    await world.close();
  }
}

/** As often as a race needs it; otherwise once. */
async function attack(world: World, kind: string, input: AttackInput): Promise<Answer[]> {
  const { setup: _, race, then, ...call } = input;
  const answers: Answer[] = [];
  for (let times = race === undefined ? 1 : 200; times > 0; times--)
    answers.push(await world.call(...(kind === 'path' ? toFileCall(call) : toCommandCall(call))));
  if (then !== undefined)
    answers.push(await world.call(...toFileCall(then as Record<string, unknown>)));
  return answers;
}

type ToolCall = [tool: string, args: Record<string, unknown>];

const toFileCall = ({ op, ...args }: Readonly<Record<string, unknown>>): ToolCall => [
  opTools[String(op)] ?? String(op),
  args,
];

const toCommandCall = ({
  shell,
  timeout_ms,
  ...rest
}: Readonly<Record<string, unknown>>): ToolCall => [
  'run_command',
  {
    ...rest,
    command: shell ?? rest['command'],
    timeoutSeconds: timeout_ms === undefined ? rest['timeoutSeconds'] : Number(timeout_ms) / 1000,
  },
];

/** What the tool said, against what the case expects of it. */
function judge({ expect, layer = 'any' }: Omit<Case, 'input' | 'oracle'>, answer: Answer): void {
  const said = `${answer.verdict}, ${answer.ok ? 'ok' : 'failed'}: ${answer.text.slice(0, 300)}`;
  switch (expect) {
    case 'allow':
      return assert.ok(answer.verdict === 'allow' && answer.ok, said);
    case 'needs-approval':
      return assert.equal(answer.verdict, 'ask', said);
    case 'error':
      return assert.equal(answer.ok, false, said);
    case 'deny':
      if (layer === 'effect') return;
      if (layer === 'policy') assert.equal(answer.verdict, 'deny', said);
      return assert.equal(answer.ok, false, said);
  }
}

function remember(
  { workspace, out }: World,
  oracle: Oracle,
): ReadonlyMap<string, string | undefined> {
  const paths = [
    ...[...(oracle.ws_unchanged ?? []), ...(oracle.ws_changed ?? [])].map((path) =>
      join(workspace, path),
    ),
    ...(oracle.out_unchanged ?? []).map((path) => join(out, path)),
  ];
  return new Map(paths.map((path) => [path, readOr(path)]));
}

function checkOracle(
  world: World,
  oracle: Oracle,
  { answers, before }: { answers: readonly Answer[]; before: ReturnType<typeof remember> },
): void {
  const { workspace, out } = world;
  const text = answers.map((answer) => answer.text).join('\n');
  const slowest = Math.max(...answers.map(({ ms }) => ms));
  for (const piece of oracle.output_lacks ?? []) assert.ok(!text.includes(piece), `shows ${piece}`);
  for (const piece of oracle.output_has ?? [])
    assert.ok(text.includes(piece), `${piece} is not in ${text.slice(0, 300)}`);
  for (const path of oracle.ws_absent ?? [])
    assert.equal(existsSync(join(workspace, path)), false, path);
  for (const path of oracle.ws_present ?? [])
    assert.equal(existsSync(join(workspace, path)), true, path);
  for (const path of oracle.out_absent ?? [])
    assert.equal(existsSync(join(out, path)), false, path);
  for (const path of oracle.ws_unchanged ?? [])
    assert.equal(readOr(join(workspace, path)), before.get(join(workspace, path)), path);
  for (const path of oracle.ws_changed ?? [])
    assert.notEqual(readOr(join(workspace, path)), before.get(join(workspace, path)), path);
  for (const path of oracle.out_unchanged ?? [])
    assert.equal(readOr(join(out, path)), before.get(join(out, path)), path);
  if (oracle.no_connect === true) assert.equal(world.connections(), 0, 'it reached the host');
  assert.ok(slowest <= (oracle.max_ms ?? usualMs), `${slowest} ms`);
  if (oracle.max_output_bytes !== undefined)
    assert.ok(Buffer.byteLength(text) <= oracle.max_output_bytes, `${text.length} characters`);
}
