import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as fc from 'fast-check';
import { createDenial } from '../../policies/paths/denied.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import { readShipped } from './cases.ts';

let policy: Policy;
before(async () => {
  policy = await readShipped();
});

const names = [
  '.env',
  '.ENV.local',
  '.git',
  '.Git',
  'hooks',
  'config',
  'x.git',
  'src',
  'a.ts',
  'policies',
  '.agent',
  'id_rsa',
];

test('what a rule denies is denied in a tree as well, and nothing that is not below a denied name', () => {
  const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 });
  for (const operation of ['read', 'write'] as const) {
    const isDenied = createDenial(policy, operation);
    const isDeniedAlone = (parts: readonly string[]): boolean =>
      decidePath(policy, operation, parts.join('/')).verdict === 'deny';
    fc.assert(
      fc.property(path, (parts) => {
        const expected = parts.some((_, index) => isDeniedAlone(parts.slice(0, index + 1)));
        assert.equal(isDenied(parts.slice(0, -1), parts.at(-1) ?? ''), expected, parts.join('/'));
      }),
    );
  }
});
