import type { Invocation } from './arguments.ts';

export interface Option {
  /** Word for its value in help; absent for a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

/** What the command line knows of a command before it loads any of its code. */
export interface Command {
  /** One or two words, such as `list` or `policies check`. */
  readonly name: string;
  /** `[x]` may be left out; `x…` may be repeated. */
  readonly args: readonly string[];
  readonly summary: string;
  readonly options: Readonly<Record<string, Option>>;
  readonly example: string;
  /** The last argument is text people forget to quote. */
  readonly quote?: true;
  /** With `--json` it prints one event a line instead of one value. */
  readonly streams?: true;
  readonly load: () => Promise<Execute>;
}

/** Carries a command out and returns the exit code. @throws CliError */
export type Execute = (invocation: Invocation) => Promise<number>;

const folder: Option = { value: 'dir', short: 'C', help: 'the workspace; default: this folder' };
const runOptions: Readonly<Record<string, Option>> = {
  directory: folder,
  model: { value: 'model', short: 'm', help: 'model for every role of this run' },
  detach: { help: 'print the run id and return at once' },
  demo: { help: 'use the demo model: no model server needed' },
  approve: { value: 'ask|auto|deny', help: 'who answers when the policy asks; default: ask you' },
  'max-steps': { value: 'n', help: 'stop after n steps' },
  'max-tokens': { value: 'n', help: 'stop after n tokens' },
  'max-minutes': { value: 'n', help: 'stop after n minutes of work' },
  'max-usd': { value: 'n', help: 'stop after n US dollars, for models with a price in tools.yaml' },
  'max-tool-calls': { value: 'n', help: 'stop after n tool calls' },
  'max-model-calls': { value: 'n', help: 'stop after n answers of models' },
  id: { value: 'name', help: 'name of the run; default: a generated one' },
  wait: { help: 'wait while another run has the workspace' },
};
const step: Option = { value: 'k', help: 'the step, such as 2 or s2' };
const demo = 'brave-otter-4f2a';

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  {
    name: 'run',
    args: ['"goal"'],
    summary: 'carry out a goal in the workspace; "-" reads it from standard input',
    options: {
      ...runOptions,
      stage: { help: 'work on a copy; agent promote applies the changes' },
    },
    example: 'agent run "Add a --version flag and a test for it"',
    quote: true,
    streams: true,
    load: async () => (await import('./commands/run.ts')).startRun,
  },
  {
    name: 'list',
    args: [],
    summary: 'runs, newest first',
    options: { all: { help: 'every run, not only the newest 50' } },
    example: 'agent list --json',
    load: async () => (await import('./commands/list.ts')).listRuns,
  },
  {
    name: 'show',
    args: ['run'],
    summary: 'what a run is doing, its plan, use and result',
    options: {},
    example: `agent show ${demo}`,
    load: async () => (await import('./commands/show.ts')).showRun,
  },
  {
    name: 'attach',
    args: ['run'],
    summary: 'watch a run and answer it; Ctrl-C leaves it running',
    options: { from: { value: 'seq', help: 'with --json: first event to print' } },
    example: `agent attach ${demo}`,
    streams: true,
    load: async () => (await import('./commands/attach.ts')).attachRun,
  },
  {
    name: 'logs',
    args: ['run'],
    summary: 'what happened in a run',
    options: { follow: { short: 'f', help: 'keep printing until the run ends' } },
    example: `agent logs -f ${demo}`,
    streams: true,
    load: async () => (await import('./commands/logs.ts')).printLogs,
  },
  {
    name: 'pause',
    args: ['run'],
    summary: 'pause a run after the current action',
    options: {},
    example: `agent pause ${demo}`,
    load: async () => (await import('./commands/control.ts')).pauseRuns,
  },
  {
    name: 'resume',
    args: ['run'],
    summary: 'resume a paused run',
    options: {},
    example: `agent resume ${demo}`,
    load: async () => (await import('./commands/control.ts')).resumeRuns,
  },
  {
    name: 'cancel',
    args: ['run'],
    summary: 'end a run; what it did so far stays',
    options: { force: { help: 'end a run that cannot end by itself, and release its folder' } },
    example: `agent cancel ${demo}`,
    load: async () => (await import('./commands/control.ts')).cancelRuns,
  },
  {
    name: 'say',
    args: ['run', '"message"'],
    summary: 'send a run a message, or answer its question',
    options: { to: { value: 'question', help: 'the question it answers, where several are open' } },
    example: `agent say ${demo} "use vitest"`,
    quote: true,
    load: async () => (await import('./commands/say.ts')).sayToRuns,
  },
  {
    name: 'approve',
    args: ['run', '[request]'],
    summary: 'allow the action a run asks about',
    options: {
      reason: { value: 'text', help: 'why, for the record' },
      edit: { help: 'change the arguments in your editor first; what you write is approved' },
      args: { value: 'json', help: 'the same, with arguments given here' },
      always: { help: 'and add a rule to your policy, so that you are not asked this again' },
      yes: { help: 'add the rule without asking' },
    },
    example: `agent approve ${demo} a1`,
    load: async () => (await import('./commands/answer.ts')).approveAction,
  },
  {
    name: 'deny',
    args: ['run', '[request]'],
    summary: 'refuse the action a run asks about',
    options: { reason: { value: 'text', help: 'why; the model reads it' } },
    example: `agent deny ${demo} --reason "not on main"`,
    load: async () => (await import('./commands/answer.ts')).denyAction,
  },
  {
    name: 'diff',
    args: ['run'],
    summary: 'what a run changed in the workspace',
    options: {
      step: { ...step, help: 'only this step, such as 2 or s2' },
      ignored: { help: 'include files that git ignores' },
    },
    example: `agent diff ${demo} --step 2`,
    load: async () => (await import('./commands/diff.ts')).showDiff,
  },
  {
    name: 'undo',
    args: ['run'],
    summary: 'revert the changes of an ended run; files changed since stay',
    options: {},
    example: `agent undo ${demo}`,
    load: async () => (await import('./commands/undo.ts')).undoRun,
  },
  {
    name: 'promote',
    args: ['run'],
    summary: 'apply the changes of a staged run to its folder',
    options: {
      commit: { help: 'and commit it, with the goal as message' },
      force: { help: 'even if the run did not end as done' },
    },
    example: `agent promote ${demo}`,
    load: async () => (await import('./commands/promote.ts')).promoteRun,
  },
  {
    name: 'rewind',
    args: ['run'],
    summary: 'rewind an open run and its workspace to the start of a step',
    options: { step },
    example: `agent rewind ${demo} --step 2`,
    load: async () => (await import('./commands/rewind.ts')).rewindRun,
  },
  {
    name: 'fork',
    args: ['run', '["goal"]'],
    summary: 'a new run from the start of a step, in a copy of the workspace',
    options: {
      step,
      ...runOptions,
      directory: { value: 'dir', short: 'C', help: 'folder of the copy; must not exist' },
    },
    example: `agent fork ${demo} --step 2 -m qwen3 "the same, but in TypeScript"`,
    quote: true,
    streams: true,
    load: async () => (await import('./commands/fork.ts')).forkRun,
  },
  {
    name: 'restore',
    args: ['run|file'],
    summary: 'continue a run from its log when the Temporal server has lost it',
    options: runOptions,
    example: `agent restore run-${demo}.jsonl`,
    streams: true,
    load: async () => (await import('./commands/restore.ts')).restoreRun,
  },
  {
    name: 'tools list',
    args: [],
    summary: 'tools the model may call',
    options: {},
    example: 'agent tools list',
    load: async () => (await import('./commands/tools-list.ts')).listTools,
  },
  {
    name: 'tools invoke',
    args: ['tool'],
    summary: 'call one tool exactly as a run would',
    options: { payload: { value: 'json', help: 'its arguments' }, directory: folder },
    example: `agent tools invoke read_file --payload '{"path":"README.md"}'`,
    load: async () => (await import('./commands/tools-invoke.ts')).invokeTool,
  },
  {
    name: 'policies validate',
    args: [],
    summary: 'find every mistake in the policy files',
    options: {},
    example: 'AGENT_POLICIES_DIR=./policies agent policies validate',
    load: async () => (await import('./commands/policies-validate.ts')).validatePolicies,
  },
  {
    name: 'policies show',
    args: [],
    summary: 'the policy in force',
    options: {},
    example: 'agent policies show',
    load: async () => (await import('./commands/policies-show.ts')).showPolicies,
  },
  {
    name: 'policies reload',
    args: [],
    summary: 'put the policy folder in force, for running runs too',
    options: {},
    example: 'agent policies reload',
    load: async () => (await import('./commands/policies-reload.ts')).reloadPolicies,
  },
  {
    name: 'policies forget',
    args: ['rule'],
    summary: 'remove a rule that approve --always added',
    options: {},
    example: 'agent policies forget always-1',
    load: async () => (await import('./commands/policies-forget.ts')).forgetPolicyRule,
  },
  {
    name: 'policies check',
    args: ['["command"]'],
    summary: 'what the policy says about a command, or about each case in a file',
    options: {
      cases: { value: 'file.jsonl', help: 'lines {"id","tool","args"}' },
      directory: folder,
    },
    example: 'agent policies check "git push origin main"',
    quote: true,
    streams: true,
    load: async () => (await import('./commands/policies-check.ts')).checkPolicies,
  },
  {
    name: 'policies explain',
    args: ['"command"'],
    summary: 'how the policy reaches its verdict on a command',
    options: { directory: folder },
    example: 'agent policies explain "cd src && npm test 2>&1 | tail -5"',
    quote: true,
    load: async () => (await import('./commands/policies-explain.ts')).explainPolicies,
  },
  {
    name: 'policies replay',
    args: ['run|file'],
    summary: 'which decisions of a run a different policy would change',
    options: { policies: { value: 'dir', help: 'the other policy; default: the one in force' } },
    example: `agent policies replay ${demo} --policies ./stricter`,
    load: async () => (await import('./commands/policies-replay.ts')).replayPolicies,
  },
  {
    name: 'policies test',
    args: [],
    summary: 'run the examples written in the policy files',
    options: {},
    example: 'agent policies test',
    load: async () => (await import('./commands/policies-test.ts')).testPolicies,
  },
  {
    name: 'audit verify',
    args: ['[run|file.tgz]'],
    summary: 'check the hash chains of the record, or an export, offline',
    options: {},
    example: 'agent audit verify',
    load: async () => (await import('./commands/audit-verify.ts')).verifyAudit,
  },
  {
    name: 'audit reconcile',
    args: ['run'],
    summary: 'compare the record of a run with Temporal, event by event',
    options: {},
    example: `agent audit reconcile ${demo}`,
    load: async () => (await import('./commands/audit-reconcile.ts')).reconcileAudit,
  },
  {
    name: 'audit export',
    args: ['run'],
    summary: 'write the whole record of a run into one signed file',
    options: { output: { value: 'file', short: 'o', help: 'default: <run>.agent-export.tgz' } },
    example: `agent audit export ${demo}`,
    load: async () => (await import('./commands/audit-export.ts')).exportAudit,
  },
  {
    name: 'audit tail',
    args: ['[run]'],
    summary: 'the newest entries of the audit log, or of one run in it',
    options: {
      follow: { short: 'f', help: 'keep printing new entries' },
      lines: { value: 'n', short: 'n', help: 'how many; default: 20' },
    },
    example: 'agent audit tail -f',
    streams: true,
    load: async () => (await import('./commands/audit-tail.ts')).tailAudit,
  },
  {
    name: 'replay',
    args: ['run|file…'],
    summary: 'check recorded histories against the current workflow code',
    options: {},
    example: `agent replay ${demo}`,
    load: async () => (await import('./commands/replay.ts')).replayHistories,
  },
  {
    name: 'up',
    args: [],
    summary: 'start the local stack (commands that need it do so themselves)',
    options: {},
    example: 'agent up',
    load: async () => (await import('./commands/up.ts')).startStack,
  },
  {
    name: 'down',
    args: [],
    summary: 'stop the local stack; open runs go on at the next start',
    options: {},
    example: 'agent down',
    load: async () => (await import('./commands/down.ts')).stopStack,
  },
  {
    name: 'ps',
    args: [],
    summary: 'parts of the local stack',
    options: {},
    example: 'agent ps',
    load: async () => (await import('./commands/ps.ts')).listParts,
  },
  {
    name: 'temporal',
    args: ['[words…]'],
    summary: 'the Temporal CLI on the local stack; its words come after --',
    options: {},
    example: 'agent temporal -- workflow list',
    load: async () => (await import('./commands/temporal.ts')).runTemporalCli,
  },
  {
    name: 'doctor',
    args: [],
    summary: 'check this machine; changes nothing',
    options: { directory: folder },
    example: 'agent doctor',
    load: async () => (await import('./commands/doctor.ts')).examineMachine,
  },
  {
    name: 'config',
    args: [],
    summary: 'every setting with its value and origin',
    options: { directory: folder },
    example: 'agent config',
    load: async () => (await import('./commands/config.ts')).printConfig,
  },
];
