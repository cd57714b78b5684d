import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { suite, test } from 'node:test';
import { toSignedPromotion, toSignedRun } from '../../audit/record/keys/order-signature.ts';
import type { PromotionInput, RunInput } from '../../workflows/contract.ts';
import { findMismatch } from '../../workers/order-match.ts';
import { input as told } from '../audit/told-history.ts';

const nonce = randomUUID();
const input: RunInput = {
  ...told,
  run: 'r1',
  goal: 'ship it',
  workspace: '/state/staged/r1/copy',
  stagedFrom: '/project',
  models: { planner: { model: 'p' }, executor: { model: 'e' }, reviewer: { model: 'r' } },
  approve: 'auto',
};
const places = { copies: '/state/copies' };
const find = (activity: string, request: unknown, of: RunInput = input) =>
  findMismatch({ signed: toSignedRun(of, nonce), goal: of.goal }, activity, request, places);

const { run, workspace, goal, stagedFrom } = input;
const lane = '/state/copies/r1/1-2-s1';
const standing = { request: 'a1', digest: '', answer: 'approve', by: 'x', standing: true };

suite('what was announced passes', () => {
  const announced: readonly [activity: string, request: object][] = [
    ['openWorkspace', { run, workspace, lease: true, stagedFrom }],
    ['ensureWorkspace', { run, workspace, tree: '0' }],
    ['act', { run, workspace, step: 's1' }],
    ['act', { run, workspace: lane, step: 's1' }],
    ['act', { run, workspace, approval: { ...standing, order: nonce } }],
    ['openLane', { run, workspace, lane: '1-2-s1', tree: '0' }],
    ['mergeLane', { run, workspace, lane: '1-2-s1', laneWorkspace: lane }],
    ['inspectWork', { run, workspace }],
    ['closeRun', { run, workspace, status: 'done' }],
    ['promote', { run, by: 'policy', mode: 'patch', target: stagedFrom, stage: workspace }],
    ['plan', { run, goal, model: { model: 'p' } }],
    ['think', { run, goal, model: { model: 'e' } }],
    ['review', { run, goal, model: { model: 'r' } }],
    ['checkMessages', { run, order: nonce, messages: [] }],
  ];
  for (const [activity, request] of announced)
    test(`${activity} ${JSON.stringify(request)}`, () => {
      assert.equal(find(activity, request), undefined);
    });

  test('a goal from which a secret was taken on the way', () => {
    const of = { ...input, goal: 'use abc for x and def for y' };
    const model = { model: 'p' };
    for (const masked of ['use [secret:A] for x and [secret:B] for y', '[secret:A]', of.goal])
      assert.equal(find('plan', { run, model, goal: masked }, of), undefined, masked);
    for (const other of ['use [secret:A] for z', 'x[secret:A]', '[secret:A]z', 'a[secret:A]', ''])
      assert.match(find('plan', { run, model, goal: other }, of) ?? '', /goal/, other);
  });

  test('a fork, from exactly the snapshot it was announced with', () => {
    const { stagedFrom: _, ...bare } = input;
    const from = { kind: 'fork', run: 'a', workspace: '/w', tree: '1' } as const;
    const of: RunInput = { ...bare, from };
    const request = { run, workspace, lease: true };
    assert.equal(
      find('openWorkspace', { ...request, from: { workspace: '/w', tree: '1' } }, of),
      undefined,
    );
    for (const other of [
      undefined,
      { workspace: '/etc', tree: '1' },
      { workspace: '/w', tree: '2' },
    ])
      assert.match(find('openWorkspace', { ...request, from: other }, of) ?? '', /another folder/);
  });
});

suite('anything else does not', () => {
  const others: readonly [activity: string, request: unknown][] = [
    ['openWorkspace', { run, workspace }],
    ['openWorkspace', { run, workspace: '/etc', stagedFrom }],
    ['openWorkspace', { run, workspace, stagedFrom: '/etc' }],
    ['openWorkspace', { run, workspace, stagedFrom, from: { workspace: '/etc', tree: '0' } }],
    ['ensureWorkspace', { run, workspace: '/etc' }],
    ['act', { run, workspace: '/etc' }],
    ['act', { run, workspace: '/project' }],
    ['act', { run: 'r2', workspace }],
    ['act', { run, workspace: '/state/copies/r2/1-s1' }],
    ['act', { run, workspace: '/state/copies/r1' }],
    ['act', { run, workspace: '/state/copies/r1/..' }],
    ['act', { run, workspace: '/state/copies/r1/../r2/1-s1' }],
    ['act', { run, workspace: '/state/copies/r1/a/b' }],
    ['act', { run, workspace: `${workspace}/..` }],
    ['act', { run, workspace: [workspace] }],
    ['act', { run }],
    ['act', { run, workspace, approval: { ...standing, order: randomUUID() } }],
    ['act', { run, workspace, approval: standing }],
    ['openLane', { run, workspace, lane: '../../etc' }],
    ['openLane', { run, workspace, lane: '..' }],
    ['openLane', { run, workspace: '/etc', lane: '1-s1' }],
    ['mergeLane', { run, workspace, lane: '1-s1', laneWorkspace: '/etc' }],
    ['mergeLane', { run, workspace: '/etc', lane: '1-s1', laneWorkspace: lane }],
    ['inspectWork', { run, workspace: '/etc' }],
    ['closeRun', { run, workspace: '/etc' }],
    ['promote', { run, by: 'ann', mode: 'patch', target: stagedFrom, stage: workspace }],
    ['promote', { run, by: 'policy', mode: 'commit', target: stagedFrom, stage: workspace }],
    ['promote', { run, by: 'policy', mode: 'patch', target: '/etc', stage: workspace }],
    ['promote', { run, by: 'policy', mode: 'patch', target: stagedFrom, stage: '/etc' }],
    ['plan', { run, goal, model: { model: 'e' } }],
    ['plan', { run, goal, model: { model: 'p', baseUrl: 'http://evil' } }],
    ['plan', { run, goal: 'other', model: { model: 'p' } }],
    ['think', { run, model: { model: 'e' } }],
    ['review', { run, goal }],
    ['checkMessages', { run, order: randomUUID(), messages: [] }],
    ['erase', { run, workspace }],
    ['act', null],
    ['act', 'x'],
    ['act', undefined],
  ];
  for (const [activity, request] of others)
    test(`${activity} ${JSON.stringify(request)}`, () => {
      assert.equal(typeof find(activity, request), 'string');
    });

  test('nor anything in a promotion but the one that was announced', () => {
    const request = {
      run,
      by: 'ann',
      goal,
      target: '/t',
      stage: '/s',
      base: '0',
      tree: '1',
      mode: 'patch',
    };
    const promotion = { queues: input.queues, request } as PromotionInput;
    const signed = toSignedPromotion(promotion, nonce);
    const judge = (activity: string, wanted: object) =>
      findMismatch({ signed, goal }, activity, wanted, places);
    assert.equal(judge('promote', request), undefined);
    for (const name of ['run', 'by', 'target', 'stage', 'base', 'tree', 'mode'])
      assert.equal(typeof judge('promote', { ...request, [name]: 'x' }), 'string', name);
    assert.equal(typeof judge('act', { run, workspace }), 'string');
  });
});
