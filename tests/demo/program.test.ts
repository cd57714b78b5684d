/** The demo program, asked over the wire, working with real folders: what it says is what the tools returned. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { answerDemo } from '../../demo/program.ts';
import type { WireServer } from '../../demo/wire.ts';
import { startWire } from '../../demo/wire.ts';
import type { Observation } from '../../activities/contract.ts';
import { toReviewPrompt } from '../../activities/model/review-prompt.ts';
import { thinkSystem, toStepPrompt } from '../../activities/model/think-prompt.ts';
import { toToolMessages } from '../../activities/model/transcript.ts';
import { listFiles } from '../../activities/files/list.ts';

const run = promisify(execFile);
const goal = 'Describe this workspace';

interface Review {
  readonly verdict: string;
  readonly notes: string;
}

interface Plan {
  readonly approach: string;
  readonly steps: readonly {
    id: string;
    title: string;
    detail: string;
    dependsOn: string[];
    acceptance: string[];
  }[];
}

interface ToolResult {
  readonly ok: boolean;
  readonly text: string;
}
type Tools = Readonly<Record<string, (args: Record<string, string>) => Promise<ToolResult>>>;

let wire: WireServer;
let client: OpenAI;
let folder: string;

before(async () => {
  wire = await startWire({ models: ['demo'], answer: answerDemo });
  client = new OpenAI({ baseURL: wire.baseUrl, apiKey: 'none', maxRetries: 0 });
});
after(() => wire.close());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'demo-program-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fill(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

const listWorkspace = (): string =>
  listFiles(folder, '.', { depth: 20, maxEntries: 1_000, authorize: () => undefined });

const succeed = (text: string): ToolResult => ({ ok: true, text });
const refuse = (text: string): ToolResult => ({ ok: false, text });

const createTools = (): Tools => ({
  list_files: async () => succeed(listWorkspace()),
  read_file: async ({ path = '' }) =>
    readFile(join(folder, path), 'utf8').then(succeed, () => refuse(`No such file: ${path}.`)),
  write_file: async ({ path = '', content = '' }) => {
    await writeFile(join(folder, path), content);
    return succeed(`Wrote ${path}.`);
  },
  run_command: async ({ command = '' }) => {
    const [program = '', ...args] = command.split(' ');
    const { stdout } = await run(program, args, { cwd: folder });
    return succeed(stdout);
  },
});

const askJson = async (name: string, content: string): Promise<unknown> => {
  const reply = await client.chat.completions.create({
    model: 'demo',
    messages: [{ role: 'user', content }],
    response_format: { type: 'json_schema', json_schema: { name, schema: {} } },
  });
  return JSON.parse(reply.choices[0]?.message.content ?? '') as unknown;
};

const askPlan = (wanted: string): Promise<Plan> => askJson('plan', wanted) as Promise<Plan>;

interface Done {
  readonly summary: string;
  /** What the model says proves it. */
  readonly proof: string;
  /** `tool preview ok|failed`, one line a call. */
  readonly log: readonly string[];
  readonly evidence: readonly Observation[];
  readonly messages: ChatCompletionMessageParam[];
}

/** Carries one step out; the conversation may be given to go on with. */
async function carryOut(tools: Tools, messages: ChatCompletionMessageParam[]): Promise<Done> {
  const log: string[] = [];
  const evidence: Observation[] = [];
  for (let turn = 0; turn < 12; turn += 1) {
    const stream = client.chat.completions.stream({
      model: 'demo',
      messages,
      tools: [...Object.keys(tools), 'finish_step'].map((name) => ({
        type: 'function',
        function: { name, parameters: { type: 'object' } },
      })),
    });
    const { choices } = await stream.finalChatCompletion();
    const { content, tool_calls: calls = [] } = choices[0]?.message ?? {};
    messages.push({ role: 'assistant', content: content ?? '', tool_calls: calls ?? [] });
    for (const call of calls ?? []) {
      assert.ok(call.type === 'function');
      const args = JSON.parse(call.function.arguments) as Record<string, string>;
      if (call.function.name === 'finish_step') {
        const { summary = '', evidence: proof = '' } = args;
        return { summary, proof, log, evidence, messages };
      }
      const result = await tools[call.function.name]?.(args);
      assert.ok(result, `The demo called ${call.function.name}, which was not offered.`);
      const preview = args['path'] ?? args['command'] ?? '';
      log.push(`${call.function.name} ${preview} ${result.ok ? 'ok' : 'failed'}`);
      const observation: Observation = {
        v: 1,
        seq: evidence.length + 1,
        step: 's1',
        call: call.id,
        tool: call.function.name,
        preview,
        verdict: 'allow',
        rule: 'test',
        ok: result.ok,
        ms: 1,
        text: result.text,
        changed: [],
        time: '2026-01-01T00:00:00Z',
      };
      evidence.push(observation);
      const [answered] = toToolMessages(
        [{ id: call.id, name: call.function.name, arguments: call.function.arguments }],
        [observation],
      );
      messages.push({ role: 'tool', tool_call_id: call.id, content: answered?.text ?? '' });
    }
  }
  throw new Error(`The demo did not finish. It did:\n${log.join('\n')}`);
}

/** The prompts of dev-agent itself, so that a change of their form is noticed here. */
const toPrompt = (plan: Plan, id: string): ChatCompletionMessageParam[] => {
  const step = plan.steps.find((one) => one.id === id) ?? assert.fail(id);
  const facts = `Folder: ${folder}`;
  return [
    { role: 'system', content: thinkSystem },
    { role: 'user', content: toStepPrompt({ ...plan, goal, facts, step, claims: [] }) },
  ];
};

/** `id` undefined: the whole run. */
const review = (
  plan: Plan,
  id: string | undefined,
  evidence: readonly Observation[],
): Promise<Review> => {
  const step = plan.steps.find((one) => one.id === id);
  const claims = [`${plan.steps[0]?.title}: write_file WORKSPACE.md ok, read_file WORKSPACE.md ok`];
  const about = step === undefined ? {} : { step };
  return askJson(
    'review',
    toReviewPrompt({ ...plan, goal, claims, evidence, ...about }),
  ) as Promise<Review>;
};

const project = {
  'README.md':
    '# Tea shop\n\n[![badge](x)](y)\n\nSells tea to people\nwho like | tea.\n\n## More\n',
  'package.json': JSON.stringify({
    name: 'tea-shop',
    scripts: { start: 'node main.ts', test: 'node --test' },
  }),
  'main.ts': 'export {};\n',
  'lib/cup.ts': 'export {};\n',
  'lib/deep/pot.ts': 'export {};\n',
  'docs/a.md': 'a\n',
  LICENSE: 'free\n',
};

test('it plans, describes, checks and reviews a project', async () => {
  await fill(project);
  const plan = await askPlan(goal);
  assert.match(plan.approach, /^Demo model: /);
  assert.deepEqual(
    plan.steps.map(({ id }) => id),
    ['s1', 's2'],
  );

  const written = await carryOut(createTools(), toPrompt(plan, 's1'));
  assert.deepEqual(written.log, [
    'list_files . ok',
    'read_file README.md ok',
    'read_file package.json ok',
    'run_command ls -la ok',
    'write_file WORKSPACE.md ok',
  ]);
  assert.match(written.summary, /7 files in 3 folders/);
  const page = await readFile(join(folder, 'WORKSPACE.md'), 'utf8');
  for (const fact of [
    '# tea-shop\n',
    'Sells tea to people who like \\| tea.',
    '7 files in 3 folders',
    '| .ts | 3 |',
    '| .md | 2 |',
    '| no extension | 1 |',
    '| lib | 2 |',
    '- `test`: `node --test`',
    'Read: README.md, package.json.',
  ]) {
    assert.ok(page.includes(fact), `${fact} is missing in:\n${page}`);
  }
  assert.deepEqual(await review(plan, 's1', written.evidence), {
    verdict: 'accept',
    notes: 'Demo model: the record shows what WORKSPACE.md needed.',
  });

  const checked = await carryOut(createTools(), toPrompt(plan, 's2'));
  assert.deepEqual(checked.log, ['list_files . ok', 'read_file WORKSPACE.md ok']);
  assert.match(checked.summary, /7 files in 3 folders, and so does a fresh listing/);
  assert.equal((await review(plan, 's2', checked.evidence)).verdict, 'accept');
  const all = [...written.evidence, ...checked.evidence];
  assert.equal((await review(plan, undefined, all)).verdict, 'accept');
  // The claims say that all was done; only the record counts.
  assert.equal((await review(plan, undefined, written.evidence)).verdict, 'retry');
  assert.equal((await review(plan, undefined, checked.evidence)).verdict, 'retry');
  assert.equal((await review(plan, 's1', checked.evidence)).verdict, 'retry');
  assert.equal((await review(plan, 's2', written.evidence)).verdict, 'retry');
  assert.equal((await review(plan, undefined, all.toReversed())).verdict, 'retry');
});

test('in a git repository it shows the last commits', async () => {
  await fill({ 'a.txt': 'a\n' });
  const git = (...args: string[]): Promise<unknown> =>
    run('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: folder });
  await git('init', '-q');
  await git('add', '.');
  await git('commit', '-q', '-m', 'Plant a tree');
  const plan = await askPlan(goal);
  await carryOut(createTools(), toPrompt(plan, 's1'));
  const page = await readFile(join(folder, 'WORKSPACE.md'), 'utf8');
  assert.match(page, /## Recent commits[\s\S]*Plant a tree/);
  assert.match(page, /1 file in 1 folder\./);
  assert.match(page, /Not counted: .*what is in \.git\//);
});

test('without commands, or with one refused, the page says only what is known', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const { run_command: _, ...noCommands } = createTools();
  const { log } = await carryOut(noCommands, toPrompt(plan, 's1'));
  assert.deepEqual(log, ['list_files . ok', 'write_file WORKSPACE.md ok']);
  assert.doesNotMatch(await readFile(join(folder, 'WORKSPACE.md'), 'utf8'), /ls -la/);

  const refused = { ...createTools(), run_command: async () => refuse('Denied by policy: no.') };
  const { proof } = await carryOut(refused, toPrompt(plan, 's1'));
  assert.match(proof, /`ls -la` did not run: Denied by policy: no\./);
  assert.match(
    await readFile(join(folder, 'WORKSPACE.md'), 'utf8'),
    /`ls -la` did not work here: Denied by policy/,
  );
});

test('a refused write is reported, not claimed; the reviewer asks for another try', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const tools = {
    ...createTools(),
    write_file: async () => refuse('Denied by policy: read-only.'),
  };
  const done = await carryOut(tools, toPrompt(plan, 's1'));
  assert.match(done.summary, /WORKSPACE\.md was not written: Denied by policy: read-only/);
  const verdict = await review(plan, 's1', done.evidence);
  assert.equal(verdict.verdict, 'retry');
  assert.match(verdict.notes, /write_file/);

  const again = await carryOut(createTools(), [
    ...done.messages,
    { role: 'user', content: `The reviewer says: ${verdict.notes}` },
  ]);
  assert.match(again.summary, /I wrote WORKSPACE\.md/);
});

test('a page that is missing or no longer true is written anew while checking', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const missing = await carryOut(createTools(), toPrompt(plan, 's2'));
  assert.deepEqual(
    missing.log.filter((line) => line.includes('WORKSPACE')),
    ['read_file WORKSPACE.md failed', 'write_file WORKSPACE.md ok', 'read_file WORKSPACE.md ok'],
  );
  await fill({ 'y.py': 'pass\n' });
  const stale = await carryOut(createTools(), toPrompt(plan, 's2'));
  assert.match(stale.summary, /2 files in 0 folders, and so does/);
});

test('a page that cannot be made true is not called true', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const tools = { ...createTools(), read_file: async () => succeed('something else') };
  const { summary } = await carryOut(tools, toPrompt(plan, 's2'));
  assert.match(summary, /WORKSPACE\.md does not say 1 file in 0 folders/);
});

test('a step of another plan gets all of it: write, read back, compare', async () => {
  await fill({ 'x.py': 'pass\n' });
  const { log, summary } = await carryOut(createTools(), [{ role: 'user', content: 'Step: go' }]);
  assert.deepEqual(log.slice(-2), ['write_file WORKSPACE.md ok', 'read_file WORKSPACE.md ok']);
  assert.match(summary, /so does a fresh listing/);
});

test('a workspace that cannot be listed ends the step with the reason', async () => {
  const plan = await askPlan(goal);
  const tools = { ...createTools(), list_files: async () => refuse('Denied by policy: hidden.') };
  const { summary, log } = await carryOut(tools, toPrompt(plan, 's1'));
  assert.match(summary, /could not be listed: Denied by policy: hidden/);
  assert.deepEqual(log, ['list_files . failed']);
});

test('a listing shortened in a long conversation is asked for again before it is counted', async () => {
  await fill(project);
  const plan = await askPlan(goal);
  let listings = 0;
  const tools: Tools = {
    ...createTools(),
    list_files: async () => {
      listings += 1;
      const text = listWorkspace();
      return succeed(
        listings === 1 ? `${text.slice(0, 60)}\n[shortened: 999 characters left out]` : text,
      );
    },
  };
  await carryOut(tools, toPrompt(plan, 's1'));
  assert.match(await readFile(join(folder, 'WORKSPACE.md'), 'utf8'), /7 files in 3 folders\.\n/);
});

test('asked for anything else it says what it is', async () => {
  const plan = await askPlan('Write a compiler for Fortran');
  assert.match(plan.approach, /not a language model.*all I can do is describe a workspace/);
  const reply = await client.responses.create({ model: 'demo', input: 'Who are you?' });
  assert.match(reply.output_text, /^Demo model: /);
});
