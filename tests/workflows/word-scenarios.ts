/** Runs in which a person speaks at every point where their words could be lost. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { releaseLock, waitForLock } from '../../audit/record/lock.ts';
import { pauseRun, resumeRun, runView, sayToRun } from '../../workflows/contract.ts';
import type { RunPhase } from '../../workflows/contract.ts';
import { callsInTurn, countTurns, findStepId, tellStory } from '../model-server/scripts.ts';
import type { PureScript } from '../model-server/scripts.ts';
import type { Role, SeenRequest } from '../model-server/script.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import type { Scenario } from './scenario.ts';
import { done } from './scenario.ts';
import { waitFor } from '../setup/wait-for.ts';

const word = 'Say hello to Ada as well.';

const isTold = ({ messages }: SeenRequest): boolean =>
  messages.some(({ role, text }) => role === 'user' && text.includes(word));

/** Requests of a role that hold the person's words. */
const toldTo = ({ model }: TestAgent, ...roles: readonly Role[]): readonly SeenRequest[] =>
  model.requests.filter((request) => roles.includes(request.role) && isTold(request));

const write = (path: string) => ({ name: 'write_file', args: { path, content: 'x\n' } });

/** Writes a file and finishes; told the words, it writes another one first. */
const listening: PureScript = tellStory({
  plan: { steps: [{ id: 's1', title: 'Greet' }] },
  act: (request) => {
    const results = request.messages.filter(({ role }) => role === 'tool').map(({ text }) => text);
    const has = (path: string): boolean => results.some((text) => text.includes(path));
    if (!has('grace.txt')) return { call: [write('grace.txt')] };
    if (isTold(request) && !has('ada.txt')) return { call: [write('ada.txt')] };
    return { finish: { summary: 'Greeted.' } };
  },
});

/** The server is busy for the requests that fit, until the person has spoken. */
function untilSpoken(script: PureScript, holds: (request: SeenRequest) => boolean) {
  let spoken = false;
  const held: PureScript = (request, seen) =>
    !spoken && holds(request)
      ? { status: 503, retryAfterMs: 300, message: 'busy' }
      : script(request, seen);
  const speak = async (handle: RunHandle): Promise<void> => {
    await handle.signal(sayToRun, word, 'tester', '');
    spoken = true;
  };
  return { held, speak };
}

const isWaitingToFinish = (request: SeenRequest): boolean =>
  request.role === 'executor' &&
  request.messages.some(({ role, text }) => role === 'tool' && text.includes('grace.txt'));

/** The words are said in a phase that a busy model server holds open; a model must act on them before the run ends. */
function saidIn(
  name: string,
  phase: RunPhase['phase'],
  holds: (request: SeenRequest) => boolean,
  fits: (now: RunPhase) => boolean = () => true,
): Scenario {
  const { held, speak } = untilSpoken(listening, holds);
  return {
    name,
    script: held,
    async drive(agent, handle) {
      await agent.waitFor(handle, phase, fits);
      await speak(handle);
    },
    async check(result, agent) {
      done(result);
      assert.equal(await agent.read('ada.txt'), 'x\n');
      assert.deepEqual(result.unheard, undefined);
      assert.ok(toldTo(agent, 'reviewer').length > 0, 'the reviewer knows what was said');
    },
  };
}

const isReviewOf = (step: string | undefined) => (now: RunPhase) =>
  now.phase === 'reviewing' && now.step === step;
const isWholeReview = ({ role, messages }: SeenRequest): boolean =>
  role === 'reviewer' && messages.some(({ text }) => text.includes('Is the whole goal achieved?'));
const isStepReview = (request: SeenRequest): boolean =>
  request.role === 'reviewer' && !isWholeReview(request);

/** A question, then what the person answers decides how the step ends. */
const asking = (question: string, turn: 'first' | 'second'): PureScript =>
  tellStory({
    plan: { steps: [{ id: 's1', title: 'Ask' }] },
    act: (request) => {
      const answered = request.messages.some(
        ({ role, text }) => role === 'user' && text.includes('(asked: '),
      );
      if (answered) return { finish: { summary: 'Answered.' } };
      return turn === 'second' && countTurns(request) === 0
        ? { call: [write('first.txt')] }
        : { ask: question };
    },
  });

/** The last review is held until a lock is taken that the run needs to close: then nothing can be acted on any more. */
function heldAtItsEnd(): Pick<Scenario, 'name' | 'script' | 'drive'> {
  let isLocked = false;
  return {
    name: 'said-while-closing',
    script: (request, seen) =>
      isLocked || !isWholeReview(request)
        ? listening(request, seen)
        : { status: 503, retryAfterMs: 100, message: 'busy' },
    async drive(agent, handle) {
      await agent.waitFor(handle, 'reviewing', isReviewOf(undefined));
      const lock = join(agent.folders.leases, 'leases.lock');
      await waitForLock(lock, 10_000);
      isLocked = true;
      try {
        await agent.waitFor(handle, 'closing');
        await handle.signal(sayToRun, word, 'tester', '');
      } finally {
        releaseLock(lock);
      }
    },
  };
}

/** Writes code in a folder that says how it is tested, and tests nothing: the gate stands against it. */
const untested = (waived: string, verdict = 'accept'): PureScript => {
  const plan = {
    approach: 'Write it.',
    requirements: [{ id: 'r1', text: 'The code has tests.' }],
    steps: [
      { id: 's1', title: 'Write it', detail: '', dependsOn: [], acceptance: ['It is there.'] },
    ],
  };
  return (request, seen) => {
    if (request.role === 'planner') return { json: plan };
    const told = request.messages.some(({ text }) => text.includes('problem-1'));
    const entries = ['r1', ...(told ? ['problem-1'] : [])].map((id) => ({
      id,
      met: false,
      evidence: [],
      waived,
    }));
    const isAgain = request.messages.some(({ text }) => text.includes('By your own list'));
    const whole = {
      verdict: isAgain ? 'accept' : verdict,
      notes: 'No tests.',
      requirements: entries,
    };
    if (isWholeReview(request) || isAgain) return { json: whole };
    return tellStory({
      plan: { steps: [] },
      act: (asked) =>
        countTurns(asked) > 0
          ? { finish: { summary: 'Written.' } }
          : { call: [{ name: 'write_file', args: { path: 'code.mjs', content: 'export {};\n' } }] },
    })(request, seen);
  };
};

const tested = { 'package.json': '{ "scripts": { "test": "node --test" } }\n' };

const sayNoTests = async (agent: TestAgent, handle: RunHandle): Promise<void> => {
  await handle.signal(pauseRun, 'tester');
  await agent.waitFor(handle, 'paused');
  await handle.signal(sayToRun, 'Tests aren’t needed here.', 'tester', '');
  await handle.signal(resumeRun, 'tester');
};

export const wordScenarios: readonly Scenario[] = [
  {
    // What every call needs is broken for good: a fourth try would fail, too, and so does whatever reads it at the end.
    name: 'an-activity-that-fails-the-same-way',
    script: callsInTurn([
      { name: 'run_command', args: { command: 'pwd' } },
      { name: 'write_file', args: { path: 'a.txt', content: 'x' } },
    ]),
    async drive(agent, handle) {
      await handle.signal(pauseRun, 'tester');
      await agent.waitFor(handle, 'paused');
      await rm(agent.folders.snapshots, { recursive: true });
      await writeFile(agent.folders.snapshots, 'no folder');
      await handle.signal(resumeRun, 'tester');
    },
    async check(result, agent) {
      assert.equal(result.status, 'failed', result.summary);
      assert.match(result.summary, /failed 3 times and is not retried/);
      assert.match(result.summary, /ENOTDIR|not a directory/i);
      assert.deepEqual(await readdir(agent.folders.leases), []);
    },
  },
  {
    name: 'tests-waived-by-the-person',
    script: untested("tests aren't needed", 'replan'),
    files: tested,
    drive: sayNoTests,
    async check(result, agent, handle) {
      done(result);
      const events = await agent.events(handle);
      assert.equal(events.filter(({ type }) => type === 'plan.updated').length, 1);
    },
  },
  {
    name: 'tests-waived-by-the-goal',
    script: untested('Do not write tests'),
    files: tested,
    input: { goal: 'Write code.mjs. Do not write tests.' },
    check: done,
  },
  {
    // Nobody said that: the words are the model's own.
    name: 'tests-waived-by-nobody',
    script: untested('The person said that tests are not needed'),
    files: tested,
    drive: (_agent, handle) => handle.signal(sayToRun, 'Do not use tabs.', 'tester', ''),
    check(result) {
      assert.equal(result.status, 'rejected', result.summary);
      assert.match(result.summary, /no tests were run/);
    },
  },
  saidIn('said-while-planning', 'planning', ({ role }) => role === 'planner'),
  saidIn('said-while-finishing', 'thinking', isWaitingToFinish),
  saidIn('said-in-a-step-review', 'reviewing', isStepReview, isReviewOf('s1')),
  saidIn('said-in-the-last-review', 'reviewing', isWholeReview, isReviewOf(undefined)),
  {
    name: 'said-while-a-hook-runs',
    script: listening,
    files: {
      '.agent/hooks.yaml':
        'version: 1\nhooks:\n  - name: waits\n    command: node wait.mjs\n    when: at-end\n',
      'wait.mjs':
        "import { existsSync } from 'node:fs';\nwhile (!existsSync('go')) await new Promise((next) => setTimeout(next, 20));\n",
    },
    async drive(agent, handle) {
      await agent.waitFor(handle, 'acting', ({ step }) => step === 'end');
      await handle.signal(sayToRun, word, 'tester', '');
      await writeFile(join(agent.workspace, 'go'), '');
    },
    async check(result, agent) {
      assert.equal(await agent.read('ada.txt'), 'x\n', result.summary);
    },
  },
  {
    name: 'said-while-paused',
    script: listening,
    async drive(agent, handle) {
      await handle.signal(pauseRun, 'tester');
      await agent.waitFor(handle, 'paused');
      await handle.signal(sayToRun, word, 'tester', '');
      await handle.signal(resumeRun, 'tester');
    },
    async check(result, agent) {
      done(result);
      assert.equal(await agent.read('ada.txt'), 'x\n');
    },
  },
  {
    // More than a run ever took in at once.
    name: 'said-sixty-times-while-paused',
    script: listening,
    async drive(agent, handle) {
      await handle.signal(pauseRun, 'tester');
      await agent.waitFor(handle, 'paused');
      for (let count = 1; count <= 60; count++)
        await handle.signal(sayToRun, count < 60 ? `Number ${count}.` : word, 'tester', '');
      await handle.signal(resumeRun, 'tester');
    },
    async check(result, agent) {
      done(result);
      assert.equal(await agent.read('ada.txt'), 'x\n');
      const [told] = toldTo(agent, 'planner', 'executor');
      assert.ok(told?.messages.some(({ text }) => text.includes('Number 1.')));
    },
  },
  {
    name: 'said-when-it-would-end-as-stuck',
    script: tellStory({
      plan: { steps: [{ id: 's1', title: 'Look' }] },
      act: (request) =>
        isTold(request) && countTurns(request) > 0
          ? { finish: { summary: 'Told what to do.' } }
          : { call: [{ name: 'read_file', args: { path: '.env' } }] },
    }),
    async drive(agent, handle) {
      await waitFor('four calls', async () => (await handle.query(runView)).usage.toolCalls >= 4);
      await handle.signal(pauseRun, 'tester');
      await agent.waitFor(handle, 'paused');
      await handle.signal(sayToRun, word, 'tester', '');
      await handle.signal(resumeRun, 'tester');
    },
    check(result) {
      assert.equal(result.summary, 'Told what to do.');
    },
  },
  {
    ...heldAtItsEnd(),
    async check(result, agent, handle) {
      assert.deepEqual(result.unheard, [word]);
      const end = (await agent.events(handle)).at(-1);
      assert.ok(end?.type === 'run.finished');
      assert.deepEqual(end.unheard, [word]);
    },
  },
  {
    name: 'said-before-the-question',
    script: asking('Which colour?', 'second'),
    async drive(agent, handle) {
      await handle.signal(pauseRun, 'tester');
      await agent.waitFor(handle, 'paused');
      await handle.signal(sayToRun, 'Be quick.', 'tester');
      await handle.signal(resumeRun, 'tester');
      const { questions } = await agent.waitFor(handle, 'awaiting-input');
      assert.deepEqual(questions, [{ id: 'q1', step: 's1', question: 'Which colour?' }]);
      // To no question: said by somebody who had seen none.
      await handle.signal(sayToRun, 'And be kind.', 'tester', '');
      await setTimeout(200);
      assert.equal((await handle.query(runView)).now.phase, 'awaiting-input');
      await handle.signal(sayToRun, 'blue', 'tester', 'q1');
    },
    async check(result, agent, handle) {
      done(result);
      const said = (await agent.events(handle)).flatMap((event) =>
        event.type === 'said' ? [[event.text, event.to]] : [],
      );
      assert.deepEqual(said, [
        ['Be quick.', undefined],
        ['And be kind.', undefined],
        ['blue', 'q1'],
      ]);
    },
  },
  {
    name: 'question-beside-a-call-and-the-end',
    script: tellStory({
      plan: { steps: [{ id: 's1', title: 'Ask' }] },
      act: (request) => {
        const answered = request.messages.some(({ text }) => text.includes('(asked: May I'));
        if (!answered)
          return {
            call: [
              { name: 'ask_human', args: { question: 'May I stop?' } },
              write('first.txt'),
              { name: 'finish_step', args: { summary: 'Too early.', evidence: '-' } },
            ],
          };
        return { finish: { summary: 'Stopped when allowed.' } };
      },
    }),
    async drive(agent, handle) {
      await agent.waitFor(handle, 'awaiting-input');
      await handle.signal(sayToRun, 'yes', 'tester', 'q1');
    },
    check(result) {
      done(result);
      assert.equal(result.summary, 'Stopped when allowed.');
    },
  },
  {
    name: 'two-questions-at-once',
    script: tellStory({
      plan: {
        steps: [
          { id: 's1', title: 'One' },
          { id: 's2', title: 'Two' },
        ],
      },
      act: (request) => {
        const answer = request.messages
          .map(({ text }) => /\(asked: Colour of (\w+)\?\) (\w+)/.exec(text))
          .find((found) => found !== null);
        const step = findStepId(request) ?? '';
        if (answer == null) return { ask: `Colour of ${step}?` };
        return { finish: { summary: `${step}: ${answer[1]} is ${answer[2]}` } };
      },
    }),
    tools: ['  parallel_steps: 1', '  parallel_steps: 2'],
    async drive(_agent, handle) {
      const questions = await waitFor('two questions', async () => {
        const { questions: asked = [] } = await handle.query(runView);
        return asked.length === 2 && asked;
      });
      for (const { id, step } of questions.toReversed())
        await handle.signal(sayToRun, step === 's1' ? 'red' : 'blue', 'tester', id);
    },
    check(result) {
      done(result);
      assert.match(result.summary, /s1: s1 is red/);
      assert.match(result.summary, /s2: s2 is blue/);
    },
  },
];
