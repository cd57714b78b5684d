/** Which turn comes when: by list, by role, by function; and the ready scripts told to their end. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FullStep } from '../../activities/model/plan.ts';
import { toStepPrompt } from '../../activities/model/think-prompt.ts';
import type { NormalAnswer, NormalMessage, NormalRequest } from '../../demo/exchange.ts';
import type { Role, Script, SeenRequest } from '../model-server/script.ts';
import { createTurns, findRole } from '../model-server/script.ts';
import {
  callsInTurn,
  happy,
  happyFile,
  loop,
  manySteps,
  oneStep,
  withFaults,
} from '../model-server/scripts.ts';
import type { Turn } from '../model-server/turns.ts';
import { toAnswer } from '../model-server/turns.ts';

const toRequest = (role: Role, messages: readonly NormalMessage[]): SeenRequest => ({
  model: 'scripted',
  stream: false,
  messages,
  tools: [],
  json: role === 'planner' || role === 'reviewer',
  includeUsage: false,
  body: {},
  role,
  headers: {},
});

const ask = (role: Role, text: string): SeenRequest => toRequest(role, [{ role: 'user', text }]);
const textOf = (turn: Turn): string | undefined => toAnswer(turn).text;

suite('by role', () => {
  test('each role has its own list; its last turn repeats', () => {
    const next = createTurns({
      executor: [{ text: 'e1' }, { text: 'e2' }],
      reviewer: [{ text: 'r1' }],
    });
    const got = [
      next(ask('executor', '1')),
      next(ask('reviewer', '1')),
      next(ask('executor', '2')),
      next(ask('executor', '3')),
      next(ask('reviewer', '2')),
    ].map(textOf);
    assert.deepEqual(got, ['e1', 'r1', 'e2', 'e2', 'r1']);
  });

  test('the same request gets its answer again; a fault only once', () => {
    const next = createTurns({ executor: [{ status: 500 }, { text: 'e1' }, { text: 'e2' }] });
    assert.deepEqual(next(ask('executor', 'a')), { status: 500 });
    assert.equal(textOf(next(ask('executor', 'a'))), 'e1');
    assert.equal(textOf(next(ask('executor', 'a'))), 'e1');
    assert.equal(textOf(next(ask('executor', 'b'))), 'e2');
    assert.equal(textOf(next(ask('executor', 'a'))), 'e1');
  });

  test('a delay alone belongs to the turn after it', () => {
    const next = createTurns({ executor: [{ delayMs: 5 }, { text: 'e1' }] });
    assert.deepEqual(next(ask('executor', 'a')), { delayMs: 5, text: 'e1' });
  });

  test('a role without a list is refused with its name', () => {
    const next = createTurns({ executor: [{ text: 'e1' }] });
    assert.throws(() => next(ask('planner', 'a')), /planner/);
  });
});

test('a list goes by the order of requests, whoever asks, and ends', () => {
  const next = createTurns([{ text: 'one' }, { text: 'two' }]);
  assert.equal(textOf(next(ask('planner', 'a'))), 'one');
  assert.equal(textOf(next(ask('reviewer', 'a'))), 'two');
  assert.throws(() => next(ask('reviewer', 'a')), /no turn 3/);
});

test('a function hears how often the same request came before', () => {
  const next = createTurns((request, seen) => ({ text: `${request.role} ${seen}` }));
  const got = ['a', 'a', 'b', 'a'].map((text) => textOf(next(ask('executor', text))));
  assert.deepEqual(got, ['executor 0', 'executor 1', 'executor 0', 'executor 2']);
});

test('roles are found by schema and tools, and by the words of the prompt where schemas are not used', () => {
  const plain: NormalRequest = ask('other', 'Hi');
  const words = (text: string): NormalRequest => ({ ...plain, messages: [{ role: 'user', text }] });
  for (const [request, role] of [
    [{ ...plain, schema: 'plan', json: true }, 'planner'],
    [{ ...plain, schema: 'review', json: true }, 'reviewer'],
    [{ ...plain, tools: [{ name: 'read_file' }] }, 'executor'],
    [{ ...words('JSON: {"verdict": "accept" | "retry" | "replan"}'), json: true }, 'reviewer'],
    [{ ...words('JSON with "steps"'), json: true }, 'planner'],
    [plain, 'other'],
  ] as const) {
    assert.equal(findRole(request), role);
  }
});

/** Plays one step against a function that carries calls out; returns the names of the calls. */
function playStep(script: Script, results: (name: string) => string): readonly string[] {
  const next = createTurns(script);
  const names: string[] = [];
  const messages: NormalMessage[] = [{ role: 'user', text: 'Step' }];
  for (let turn = 0; turn < 100; turn += 1) {
    const { calls = [], text = '' }: NormalAnswer = toAnswer(
      next(toRequest('executor', [...messages])),
    );
    const past = calls.map(({ name }, index) => ({ id: `c${turn}-${index}`, name, args: '{}' }));
    messages.push({ role: 'assistant', text, calls: past });
    for (const { id, name } of past) {
      names.push(name);
      if (name === 'finish_step') return names;
      messages.push({ role: 'tool', callId: id, text: results(name) });
    }
  }
  throw new Error(`No finish_step in 100 turns: ${names.join(', ')}`);
}

suite('ready scripts', () => {
  test('happy writes the file where it is missing and reads it where it is there', () => {
    assert.deepEqual(
      playStep(happy, () => 'a.txt'),
      ['list_files', 'write_file', 'finish_step'],
    );
    assert.deepEqual(
      playStep(happy, () => `a.txt\n${happyFile.path}`),
      ['list_files', 'read_file', 'finish_step'],
    );
  });

  test('loop looks as often as asked, never the same way twice', () => {
    assert.equal(playStep(loop(30), () => 'nothing').length, 31);
    const patterns = [0, 1].map((turns) => {
      const past = Array.from({ length: turns }, () => ({
        role: 'assistant' as const,
        text: '',
        calls: [],
      }));
      return JSON.stringify(loop(5)(toRequest('executor', past), 0));
    });
    assert.notEqual(patterns[0], patterns[1]);
  });

  test('calls in turn come one a turn, then the step is finished', () => {
    const script = callsInTurn([
      { name: 'read_file', args: { path: 'a' } },
      { name: 'delete_file', args: { path: 'a' } },
    ]);
    assert.deepEqual(
      playStep(script, () => ''),
      ['read_file', 'delete_file', 'finish_step'],
    );
  });

  test('many steps have turns of their own, found by the id in the prompt of dev-agent', () => {
    const script = manySteps({ s1: [{ text: 'one' }], s2: [{ text: 'two' }, { text: 'three' }] });
    const { steps } = toAnswer(script(ask('planner', 'Plan'), 0)).json as { steps: FullStep[] };
    assert.deepEqual(
      steps.map(({ id, dependsOn }) => [id, dependsOn]),
      [
        ['s1', []],
        ['s2', ['s1']],
      ],
    );
    const told = steps.map((step) => {
      const prompt = toStepPrompt({
        goal: 'g',
        facts: 'f',
        approach: 'a',
        step,
        steps,
        claims: [],
      });
      return textOf(script(ask('executor', prompt), 0));
    });
    assert.deepEqual(told, ['one', 'two']);
  });

  test('plan and review of a story are complete answers', () => {
    const script = oneStep([]);
    const { json: plan } = toAnswer(script(ask('planner', 'Plan'), 0));
    assert.deepEqual(plan, {
      approach: 'One step is enough.',
      steps: [
        { id: 's1', title: 'Do it', detail: 'Do it', dependsOn: [], acceptance: ['It is done.'] },
      ],
    });
    const { json: review } = toAnswer(script(ask('reviewer', 'Review'), 0));
    assert.equal((review as { verdict: string }).verdict, 'accept');
    assert.equal(textOf(script(ask('other', 'ping'), 0)), 'ok');
  });

  test('faults come before the story and do not shift it', () => {
    const script = withFaults(happy, { executor: [{ status: 503 }, { empty: true }] });
    const request = ask('executor', 'Step');
    assert.deepEqual(script(request, 0), { status: 503 });
    assert.deepEqual(script(request, 1), { empty: true });
    assert.deepEqual(script(request, 2), happy(request, 0));
  });
});
