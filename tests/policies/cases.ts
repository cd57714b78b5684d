import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPolicyBundle } from '../../config/policies.ts';

export const shippedDir = join(import.meta.dirname, '..', '..', 'policies');

/** The rows of a case table beside the tests. */
export const readCases = <T>(name: string): T[] =>
  readFileSync(join(import.meta.dirname, 'cases', `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

export const workspace = '/work/ws';

export const readShipped = async () => (await readPolicyBundle(shippedDir)).policy;
