import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { readChain } from '../../audit/record/chain.ts';
import type { ChainRecord } from '../../audit/record/chain.ts';
import type { AuditEntry } from '../../audit/record/log.ts';

// Logs are anchored with a key beside the configuration: not that of whoever runs the tests.
const config = mkdtempSync(join(tmpdir(), 'dev-agent-config-'));
process.env['XDG_CONFIG_HOME'] = config;
process.on('exit', () =>
  rmSync(config, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
);

/** A folder that is removed when the test ends. */
export const createFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'dev-agent-audit-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  return folder;
};

/** All records of a chained file. */
export const readAll = async (file: string): Promise<ChainRecord[]> => {
  const records: ChainRecord[] = [];
  for await (const record of readChain(file)) records.push(record);
  return records;
};

/** What the audit log has of one call of `run` that returned `observation`. */
export const toOutcome = (run: string, observation: string, time: string): AuditEntry => ({
  kind: 'outcome',
  time,
  run,
  step: 's1',
  tool: 'read_file',
  digest: '3'.repeat(64),
  verdict: 'allow',
  rule: 'x',
  policy: '4'.repeat(64),
  effect: 'pure',
  preview: 'x',
  observation,
});
