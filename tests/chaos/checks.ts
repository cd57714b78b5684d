/** What must hold after every fault. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readChain } from '../../audit/record/chain.ts';
import type { ChainRecord } from '../../audit/record/chain.ts';
import type { Machine } from '../setup/cli.ts';
import { waitFor } from '../setup/wait-for.ts';

/** The mirror has seen the run to its end, and holds each event once and in order. Returns its events. */
export async function waitForMirror({ state }: Machine, id: string): Promise<ChainRecord[]> {
  const path = join(state, `run-${id}.jsonl`);
  const readWhole = async (): Promise<ChainRecord[] | undefined> => {
    const seen = new Map<string, number>();
    const events: ChainRecord[] = [];
    let closed = false;
    // A run can end before a mirror that just began has heard of it.
    for await (const record of existsSync(path) ? readChain(path) : []) {
      if (record['kind'] === 'close') closed = true;
      if (record['kind'] === 'gap') assert.fail(`the mirror of ${id} has a gap`);
      if (record['kind'] !== 'event') continue;
      const execution = String(record['execution']);
      const next = (seen.get(execution) ?? 0) + 1;
      assert.equal(record['id'], next, `event ids of ${id}`);
      seen.set(execution, next);
      events.push(record);
    }
    return closed ? events : undefined;
  };
  return await waitFor(`the mirror of ${id} to close`, readWhole);
}

/** Each mutating call has one outcome in the audit log, and an intent before it. */
export async function checkOutcomes(
  { state }: Machine,
  id: string,
  mutations: readonly number[] | undefined,
): Promise<void> {
  const outcomes: number[] = [];
  const intents = new Set<number>();
  for (const day of readdirSync(join(state, 'audit')).filter((name) => name.endsWith('.jsonl'))) {
    for await (const record of readChain(join(state, 'audit', day))) {
      if (record['run'] !== id || record['effect'] === 'pure') continue;
      const action = Number(record['action']);
      if (record['kind'] === 'intent') intents.add(action);
      if (record['kind'] !== 'outcome') continue;
      assert.ok(intents.has(action), `intent of action ${action} of ${id}`);
      outcomes.push(action);
    }
  }
  assert.equal(outcomes.length, new Set(outcomes).size, `outcomes of ${id} that came twice`);
  if (mutations === undefined) return;
  assert.deepEqual(
    outcomes.toSorted((a, b) => a - b),
    mutations,
    `outcomes of ${id}`,
  );
}

const isTemporary = (name: string): boolean => /(?:\.tmp|\.lock)$|tmp_obj_/.test(name);

/** No process in the workspace, no lease of the run, no temporary file. */
export function checkLeft({ state }: Machine, workspace: string): void {
  const leases = readdirSync(join(state, 'leases')).filter((name) => name.endsWith('.json'));
  const left = leases.filter((name) =>
    readFileSync(join(state, 'leases', name), 'utf8').includes(JSON.stringify(workspace)),
  );
  assert.deepEqual(left, [], 'leases left');
  assert.deepEqual(
    findProcesses((pid) => isIn(pid, workspace)),
    [],
    'processes left',
  );
  const temporary = readdirSync(workspace, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(temporary.filter(isTemporary), [], 'temporary files left in the workspace');
}

/** After `agent down`: no process of the state folder, and no temporary file in it. */
export function checkRest({ root, state }: Machine): void {
  const mark = `AGENT_STATE_DIR=${state}`;
  const processes = findProcesses(
    (pid) =>
      isIn(pid, root) || readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark),
  ).map((pid) => `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`);
  assert.deepEqual(processes, [], 'processes left after agent down');
  const files = readdirSync(state, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(files.filter(isTemporary), [], 'temporary files left in the state folder');
}

const isIn = (pid: string, folder: string): boolean =>
  `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);

const findProcesses = (fits: (pid: string) => boolean): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fits(pid);
    } catch {
      return false; // Gone in between.
    }
  });
