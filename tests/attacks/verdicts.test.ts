/** What the policy says of every case it can speak about. What only shows when it is done is tried in tests/workspace. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { checkCase } from '../../cli/cases/check.ts';
import { readShipped } from '../policies/cases.ts';
import { readAttacks } from './cases.ts';
import type { AttackCase } from './cases.ts';

const policy = await readShipped();
const verdicts = { allow: 'allow', deny: 'deny', error: 'deny', 'needs-approval': 'ask' } as const;

/** A policy knows words, not files: a missing file, a folder or a pipe in place of one is the tool's to refuse. */
const isOfFiles = ({ kind, expect, layer }: AttackCase): boolean =>
  layer === 'effect' || (kind === 'path' && expect === 'error');

for (const kind of ['path', 'command', 'network', 'policy-yaml']) {
  suite(kind, () => {
    for (const each of readAttacks(kind)) {
      test(`${each.id} ${each.expect}: ${each.why}`, () => {
        const started = performance.now();
        const result = checkCase(policy, each, '/work/ws');
        assert.equal(result?.id, each.id);
        const maxMs = Number(each.oracle?.['max_ms'] ?? 5_000);
        assert.ok(performance.now() - started < maxMs, 'too slow');
        if (isOfFiles(each) && result.verdict !== 'deny') return;
        assert.equal(result.verdict, verdicts[each.expect], `${result.rule}: ${result.reason}`);
      });
    }
  });
}
