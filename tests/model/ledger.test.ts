import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observation } from '../../activities/contract/act.ts';
import { findUnmet } from '../../activities/model/ledger.ts';

const call = (seq: number, more: Partial<Observation> = {}): Observation => ({
  v: 1,
  seq,
  step: 's1',
  call: 'c',
  tool: 'run_command',
  preview: 'npm test',
  verdict: 'allow',
  rule: 'commands.npm',
  ok: true,
  ms: 1,
  text: '',
  changed: [],
  time: '2026-01-01T00:00:00Z',
  ...more,
});
const record = [call(1), call(2, { ok: false }), call(3, { verdict: 'deny' })];
const requirements = [{ id: 'r1', text: 'It works.' }];

for (const [name, entries, expected] of [
  ['met, with a call that came out well', [{ id: 'r1', met: true, evidence: [2, 1] }], undefined],
  ['left out', [], /r1 \(It works\.\) has not been proven/],
  ['not met', [{ id: 'r1', met: false, evidence: [1] }], /has not been proven/],
  ['met without evidence', [{ id: 'r1', met: true, evidence: [] }], /no successful call/],
  ['met by a call that failed', [{ id: 'r1', met: true, evidence: [2] }], /no successful call/],
  [
    'met by a call that was refused',
    [{ id: 'r1', met: true, evidence: [3] }],
    /no successful call/,
  ],
  ['met by a call that never was', [{ id: 'r1', met: true, evidence: [9] }], /no successful call/],
] as const)
  test(`a requirement ${name}`, () => {
    const [unmet] = findUnmet(requirements, entries, record);
    if (expected === undefined) assert.equal(unmet, undefined);
    else assert.match(unmet ?? '', expected);
  });

for (const [name, waived, expected] of [
  ['that the person waived counts as met', 'No tests', []],
  ['that somebody else waived does not', 'Never mind', [/has not been proven/]],
] as const)
  test(`a requirement ${name}`, () => {
    const entries = [{ id: 'r1', met: false, evidence: [], waived }];
    const unmet = findUnmet(requirements, entries, record, (quote) => quote === 'No tests');
    assert.equal(unmet.length, expected.length);
    for (const [at, pattern] of expected.entries()) assert.match(unmet[at] ?? '', pattern);
  });
