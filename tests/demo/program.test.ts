/** The demo program, asked over the wire, working with real folders: what it says is what the tools returned. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { pageName } from '../../demo/page.ts';
import { answerDemo } from '../../demo/program.ts';
import type { WireServer } from '../../demo/wire.ts';
import { startWire } from '../../demo/wire.ts';
import type { Observation } from '../../activities/contract/act.ts';
import type { FullPlan } from '../../activities/model/plan.ts';
import { toReviewPrompt } from '../../activities/model/review-prompt.ts';
import { thinkSystem, toStepPrompt } from '../../activities/model/think-prompt.ts';
import { toToolMessages } from '../../activities/model/transcript.ts';
import { listFiles } from '../../activities/files/list.ts';
import { builtIn } from '../../tools/built-in.ts';

const run = promisify(execFile);
const goal = 'Describe this workspace';

interface Review {
  readonly verdict: string;
  readonly notes: string;
}

type Plan = Pick<FullPlan, 'approach' | 'steps'>;

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

const listWorkspace = (maxEntries = 1_000): string =>
  listFiles(folder, '.', { depth: 20, maxEntries, authorize: () => undefined });

const readPage = (): Promise<string> => readFile(join(folder, pageName), 'utf8');

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

const observe = (
  tool: string,
  preview = pageName,
  outcome: Partial<Observation> = {},
): Observation => ({
  v: 1,
  seq: 1,
  step: 's1',
  call: 'c1',
  tool,
  preview,
  verdict: 'allow',
  rule: 'test',
  ok: true,
  ms: 1,
  text: '',
  changed: [],
  time: '2026-01-01T00:00:00Z',
  ...outcome,
});

/** Executes one step; the conversation may be one to go on with. */
async function executeStep(tools: Tools, messages: ChatCompletionMessageParam[]): Promise<Done> {
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
      const observation = {
        ...observe(call.function.name, preview, result),
        seq: evidence.length + 1,
        call: call.id,
      };
      evidence.push(observation);
      const [answered] = toToolMessages(
        builtIn,
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
  return askJson(
    'review',
    toReviewPrompt({ ...plan, goal, claims, evidence, step }),
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

  const written = await executeStep(createTools(), toPrompt(plan, 's1'));
  assert.deepEqual(written.log, [
    'list_files . ok',
    'read_file README.md ok',
    'read_file package.json ok',
    'write_file WORKSPACE.md ok',
  ]);
  assert.equal(written.summary, 'Wrote WORKSPACE.md: 7 files in 3 folders.');
  assert.equal(
    await readPage(),
    `# Tea shop

Sells tea to people who like \\| tea.

7 files in 3 folders, not counting WORKSPACE.md and links.

| folder | files | types |
| --- | ---: | --- |
| ./ | 4 | 1 without extension, 1 .md, 1 .ts, 1 .json |
| lib/ | 2 | 2 .ts |
| docs/ | 1 | 1 .md |

## Scripts

- \`npm run start\`: \`node main.ts\`
- \`npm run test\`: \`node --test\`

Written by the demo model of dev-agent, a small program that only repeats what its tools returned: \`list_files .\` (ok), \`read_file README.md\` (ok), and \`read_file package.json\` (ok).
`,
  );
  assert.deepEqual(await review(plan, 's1', written.evidence), {
    verdict: 'accept',
    notes:
      'Last call on WORKSPACE.md in the record: #4 s1 write_file WORKSPACE.md -> ok. The demo model checks no more.',
  });

  const checked = await executeStep(createTools(), toPrompt(plan, 's2'));
  assert.deepEqual(checked.log, [
    'list_files . ok',
    'read_file README.md ok',
    'read_file WORKSPACE.md ok',
    'read_file package.json ok',
  ]);
  assert.equal(checked.summary, 'WORKSPACE.md says what the tools return: 7 files in 3 folders.');
  assert.match(checked.proof, /read_file WORKSPACE\.md: ok/);
  assert.equal((await review(plan, 's2', checked.evidence)).verdict, 'accept');
  const all = [...written.evidence, ...checked.evidence];
  assert.equal((await review(plan, undefined, all)).verdict, 'accept');
});

test('the reviewer believes the record, not the claims', async () => {
  const plan = await askPlan(goal);
  const [refused, failed] = [{ verdict: 'deny', ok: false } as const, { ok: false }];
  for (const [what, calls] of [
    ['nothing', []],
    ['another file', [observe('write_file', 'other.md')]],
    [
      'a refused write after a read',
      [observe('read_file'), observe('write_file', pageName, refused)],
    ],
    ['a failed read', [observe('write_file'), observe('read_file', pageName, failed)]],
  ] as const) {
    const verdict = await review(plan, undefined, calls);
    assert.equal(verdict.verdict, 'retry', what);
  }
});

test('in a git repository it shows the last commits', async () => {
  await fill({ 'a.txt': 'a\n' });
  const as = ['-c', 'user.name=t', '-c', 'user.email=t@t'];
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    ['commit', '-q', '-m', 'Plant a tree'],
  ])
    await run('git', [...as, ...args], { cwd: folder });
  const plan = await askPlan(goal);
  const { run_command: _, ...noCommands } = createTools();
  await executeStep(noCommands, toPrompt(plan, 's1'));
  assert.doesNotMatch(await readPage(), /commits/);

  await executeStep(createTools(), toPrompt(plan, 's1'));
  assert.match(await readPage(), /## Recent commits\n\n {4}[0-9a-f]+ Plant a tree\n\n/);
  assert.match(await readPage(), /1 file in 0 folders, not counting .* and \.git\/\./);

  const tools = { ...createTools(), run_command: async () => refuse('Denied by policy: no.') };
  await executeStep(tools, toPrompt(plan, 's1'));
  assert.match(await readPage(), /## Recent commits\n\n {4}Denied by policy: no\./);
  assert.match(await readPage(), /`run_command git log --oneline -n 5` \(failed\)/);
});

test('a refused write is reported, not claimed; the reviewer asks for another try', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const tools = {
    ...createTools(),
    write_file: async () => refuse('Denied by policy: read-only.'),
  };
  const done = await executeStep(tools, toPrompt(plan, 's1'));
  assert.equal(done.summary, 'WORKSPACE.md was not written: Denied by policy: read-only.');
  const { verdict, notes } = await review(plan, 's1', done.evidence);
  assert.equal(verdict, 'retry');
  assert.match(notes, /write_file WORKSPACE\.md -> failed/);

  const again = await executeStep(createTools(), [
    ...done.messages,
    { role: 'user', content: `The reviewer says: ${notes}` },
  ]);
  assert.match(again.summary, /^Wrote WORKSPACE\.md/);
});

test('a page that is missing or no longer true is written by either step, a true one is left alone', async () => {
  await fill({ 'x.py': 'pass\n' });
  const plan = await askPlan(goal);
  const missing = await executeStep(createTools(), toPrompt(plan, 's2'));
  assert.equal(missing.summary, 'Wrote WORKSPACE.md: 1 file in 0 folders.');
  await fill({ 'y.py': 'pass\n' });
  const stale = await executeStep(createTools(), toPrompt(plan, 's2'));
  assert.equal(stale.summary, 'Wrote WORKSPACE.md: 2 files in 0 folders.');
  const same = await executeStep(createTools(), toPrompt(plan, 's1'));
  assert.deepEqual(same.log, ['list_files . ok', 'read_file WORKSPACE.md ok']);
  // A step of some other plan is one to describe the workspace, too.
  const other = await executeStep(createTools(), [{ role: 'user', content: 'Step: go' }]);
  assert.equal(other.summary, same.summary);
});

test('a workspace that cannot be listed ends the step with the reason', async () => {
  const plan = await askPlan(goal);
  const tools = { ...createTools(), list_files: async () => refuse('Denied by policy: hidden.') };
  const { summary, log } = await executeStep(tools, toPrompt(plan, 's1'));
  assert.equal(summary, 'The workspace was not listed: Denied by policy: hidden.');
  assert.deepEqual(log, ['list_files . failed']);
});

for (const [what, cut] of [
  ['shortened in a long conversation', (text: string) => `${text}\n[shortened: 999 characters …]`],
  ['cut by the tool', () => listWorkspace(3)],
] as const) {
  test(`a listing ${what} is counted as the part it is`, async () => {
    await fill(project);
    const plan = await askPlan(goal);
    const tools = { ...createTools(), list_files: async () => succeed(cut(listWorkspace())) };
    await executeStep(tools, toPrompt(plan, 's1'));
    assert.match(await readPage(), /^at least \d files? in \d folders? \(the listing was cut\), /m);
  });
}

test('names that look like something else are counted as what they are', async () => {
  await fill({
    '(group)/[id]/[...all].tsx': '',
    '(group)/x': '',
    'a/b/c/deep 2024': '',
    'z/- (link)': '',
    '.env': '',
    'node_modules/x/y.js': '',
  });
  await mkdir(join(folder, 'empty'));
  await symlink('a', join(folder, 'alias'));
  const plan = await askPlan(goal);
  await executeStep(createTools(), toPrompt(plan, 's1'));
  const page = await readPage();
  assert.match(
    page,
    /^5 files in 7 folders, not counting WORKSPACE\.md, links, and node_modules\/\.$/m,
  );
  assert.match(page, /^\| \(group\)\/ \| 2 \| 1 \.tsx, 1 without extension \|$/m);
  assert.doesNotMatch(page, /^\| (?:empty|node_modules)/m);
});

test('an empty folder has no table', async () => {
  const plan = await askPlan(goal);
  await executeStep(createTools(), toPrompt(plan, 's1'));
  assert.match(await readPage(), /^# Workspace\n\n0 files in 0 folders, .*\n\nWritten by .*\n$/);
});

test('asked for anything else it says what it is', async () => {
  const plan = await askPlan('Write a compiler for Fortran');
  assert.match(
    plan.approach,
    /not a language model\. Whatever the goal, it describes the workspace/,
  );
  const reply = await client.responses.create({ model: 'demo', input: 'Who are you?' });
  assert.match(reply.output_text, /^Demo model: /);
});
