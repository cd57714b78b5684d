/** What is done to the audit log behind our back, checked by the real verification. */
import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openChain } from '../../audit/record/chain.ts';
import { createAuditLog, toDayIdentity } from '../../audit/record/log.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { toStateFolders } from '../../config/folders.ts';
import { createFolder } from '../audit/folder.ts';
import { readAttacks } from './cases.ts';

const noon = () => new Date('2026-03-01T12:00:00Z');
const day = '2026-03-01.jsonl';

interface Mutation {
  readonly op: string;
  readonly entry?: number;
  readonly other?: number;
  readonly byte?: number;
  readonly field?: string;
  readonly to?: string;
  readonly keep?: number;
  readonly drop?: number;
  readonly count?: number;
}

async function append(root: string, from: number, count: number): Promise<void> {
  const log = createAuditLog(toStateFolders(root).audit, noon);
  for (let n = from; n < from + count; n++) {
    await log.append({
      kind: 'decision',
      time: noon().toISOString(),
      run: 'r',
      step: 's1',
      action: n,
      tool: 'run_command',
      digest: 'd',
      policy: 'p',
      preview: `command ${n}`,
      verdict: 'deny',
      rule: 'commands.unlisted',
      effect: 'pure',
    });
  }
  await log.close();
}

/** Our names of what the case calls otherwise. */
const fields: Readonly<Record<string, string>> = { decision: 'verdict' };

async function mutate(root: string, mutation: Mutation): Promise<void> {
  const file = join(toStateFolders(root).audit, day);
  const bytes = await readFile(file);
  const lines = bytes.toString('utf8').trimEnd().split('\n');
  const { op, entry = 1, other = 1, field = '', to = '', keep = 0, drop = 0, count = 0 } = mutation;
  const at = entry - 1;
  const edit = (line = '{}'): Record<string, unknown> => ({
    ...(JSON.parse(line) as Record<string, unknown>),
    [fields[field] ?? field]: to,
  });
  const save = (left: readonly string[]) => writeFile(file, `${left.join('\n')}\n`);
  switch (op) {
    case 'none':
      return;
    case 'edit_value':
      return await save(lines.with(at, JSON.stringify(edit(lines[at]))));
    case 'flip_bit': {
      const start = lines.slice(0, at).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
      const place = start + (mutation.byte ?? 0);
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      return await writeFile(file, bytes);
    }
    case 'delete_line':
      return await save(lines.toSpliced(at, 1));
    case 'duplicate_line':
      return await save(lines.toSpliced(at, 0, lines[at] ?? ''));
    case 'swap_lines':
      return await save(lines.with(at, lines[other - 1] ?? '').with(other - 1, lines[at] ?? ''));
    case 'insert_line':
      return await save(lines.toSpliced(at, 0, to));
    case 'truncate_lines':
      return await save(lines.slice(0, keep));
    case 'delete_file':
      return await rm(file);
    case 'delete_anchor':
      return await rm(join(root, 'anchors'), { recursive: true });
    case 'edit_and_rehash': {
      await rm(file);
      const chain = await openChain(file, toDayIdentity(day));
      await chain.append(
        lines.map((line, index) => (index === at ? edit(line) : (JSON.parse(line) as object))),
      );
      return await chain.close();
    }
    case 'truncate_bytes':
      return await truncate(file, bytes.length - drop);
    case 'reopen_and_append':
      return await append(root, lines.length + 1, count);
    default:
      throw new Error(`There is no mutation ${op}.`);
  }
}

/** Begins a line as a writer does that is killed in the middle: it was never acknowledged. */
async function tear(root: string, dropped: number): Promise<void> {
  const file = join(toStateFolders(root).audit, day);
  const whole = await readFile(file, 'utf8');
  const last = whole.trimEnd().split('\n').at(-1) ?? '';
  await writeFile(file, whole + `${last}\n`.slice(0, -dropped));
}

async function carryOut(
  t: TestContext,
  input: Readonly<Record<string, unknown>>,
): Promise<string[]> {
  const { log, mutate: mutation } = input as {
    log: { entries: number; checkpoint_at: number };
    mutate: Mutation;
  };
  const root = await createFolder(t);
  // Every acknowledged entry is anchored: what came after the last anchor is a write cut short.
  const torn = mutation.op === 'truncate_bytes' && log.entries > log.checkpoint_at;
  await append(root, 1, torn ? log.checkpoint_at : log.entries);
  await (torn ? tear(root, mutation.drop ?? 1) : mutate(root, mutation));
  const { findings } = await verifyState(root);
  return findings.map(({ what }) => what);
}

suite('tampering with the audit log', () => {
  for (const { id, input, expect, why } of readAttacks('audit-tamper')) {
    test(`${id} ${expect}: ${why}`, async (t) => {
      const findings = await carryOut(t, input);
      if (expect === 'allow') assert.deepEqual(findings, []);
      else assert.notDeepEqual(findings, []);
    });
  }
});
