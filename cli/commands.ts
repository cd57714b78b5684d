/** Every command by name. What a command takes and does is in its own file, which nothing here loads. */
import type { Command } from './command.ts';

/** What help and a mistyped name need of a command. */
export interface CommandEntry {
  /** One or two words, such as `list` or `policies check`. */
  readonly name: string;
  /** `[x]` may be left out; `x…` may be repeated. */
  readonly args: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

type Row = readonly [
  name: string,
  args: readonly string[],
  summary: string,
  load: CommandEntry['load'],
];

/** In the order of the help. */
const rows: readonly Row[] = [
  [
    'run',
    ['"goal"'],
    'carry out a goal in the workspace; "-" reads it from standard input',
    () => import('./commands/run.ts'),
  ],
  ['list', [], 'runs, newest first', () => import('./commands/list.ts')],
  [
    'show',
    ['run'],
    'what a run is doing, its plan, use and result',
    () => import('./commands/show.ts'),
  ],
  [
    'attach',
    ['run'],
    'watch a run and answer it; Ctrl-C leaves it running',
    () => import('./commands/attach.ts'),
  ],
  ['logs', ['run'], 'what happened in a run', () => import('./commands/logs.ts')],
  ['pause', ['run'], 'pause a run after the current action', () => import('./commands/pause.ts')],
  ['resume', ['run'], 'resume a paused run', () => import('./commands/resume.ts')],
  ['cancel', ['run'], 'end a run; what it did so far stays', () => import('./commands/cancel.ts')],
  [
    'say',
    ['run', '"message"'],
    'send a run a message, or answer its question',
    () => import('./commands/say.ts'),
  ],
  [
    'approve',
    ['run', '[request]'],
    'allow the action a run asks about',
    () => import('./commands/approve.ts'),
  ],
  [
    'deny',
    ['run', '[request]'],
    'refuse the action a run asks about',
    () => import('./commands/deny.ts'),
  ],
  ['diff', ['run'], 'what a run changed in the workspace', () => import('./commands/diff.ts')],
  [
    'undo',
    ['run'],
    'revert the changes of an ended run; files changed since stay',
    () => import('./commands/undo.ts'),
  ],
  [
    'promote',
    ['run'],
    'apply the changes of a staged run to its folder',
    () => import('./commands/promote.ts'),
  ],
  [
    'rewind',
    ['run'],
    'rewind an open run and its workspace to the start of a step',
    () => import('./commands/rewind.ts'),
  ],
  [
    'fork',
    ['run', '["goal"]'],
    'a new run from the start of a step, in a copy of the workspace',
    () => import('./commands/fork.ts'),
  ],
  [
    'restore',
    ['run|file'],
    'continue a run from its log when the Temporal server has lost it',
    () => import('./commands/restore.ts'),
  ],
  ['tools list', [], 'tools the model may call', () => import('./commands/tools-list.ts')],
  [
    'tools invoke',
    ['tool'],
    'call one tool exactly as a run would',
    () => import('./commands/tools-invoke.ts'),
  ],
  [
    'policies validate',
    [],
    'find every mistake in the policy files',
    () => import('./commands/policies-validate.ts'),
  ],
  ['policies show', [], 'the policy in force', () => import('./commands/policies-show.ts')],
  [
    'policies reload',
    [],
    'put the policy folder in force, for running runs too',
    () => import('./commands/policies-reload.ts'),
  ],
  [
    'policies forget',
    ['rule'],
    'remove a rule that approve --always added',
    () => import('./commands/policies-forget.ts'),
  ],
  [
    'policies check',
    ['["command"]'],
    'what the policy says about a command, or about each case in a file',
    () => import('./commands/policies-check.ts'),
  ],
  [
    'policies explain',
    ['"command"'],
    'how the policy reaches its verdict on a command',
    () => import('./commands/policies-explain.ts'),
  ],
  [
    'policies replay',
    ['run|file'],
    'which decisions of a run a different policy would change',
    () => import('./commands/policies-replay.ts'),
  ],
  [
    'policies test',
    [],
    'run the examples written in the policy files',
    () => import('./commands/policies-test.ts'),
  ],
  [
    'audit verify',
    ['[run|file.tgz]'],
    'check the hash chains of the record, or an export, offline',
    () => import('./commands/audit-verify.ts'),
  ],
  [
    'audit reconcile',
    ['run'],
    'compare the record of a run with Temporal, event by event',
    () => import('./commands/audit-reconcile.ts'),
  ],
  [
    'audit export',
    ['run'],
    'write the whole record of a run into one signed file',
    () => import('./commands/audit-export.ts'),
  ],
  [
    'audit tail',
    ['[run]'],
    'the newest entries of the audit log, or of one run in it',
    () => import('./commands/audit-tail.ts'),
  ],
  [
    'replay',
    ['run|file…'],
    'check recorded histories against the current workflow code',
    () => import('./commands/replay.ts'),
  ],
  [
    'up',
    [],
    'start the local stack (commands that need it do so themselves)',
    () => import('./commands/up.ts'),
  ],
  [
    'down',
    [],
    'stop the local stack; open runs go on at the next start',
    () => import('./commands/down.ts'),
  ],
  ['ps', [], 'parts of the local stack', () => import('./commands/ps.ts')],
  [
    'temporal',
    ['[words…]'],
    'the Temporal CLI on the local stack; its words come after --',
    () => import('./commands/temporal.ts'),
  ],
  ['doctor', [], 'check this machine; changes nothing', () => import('./commands/doctor.ts')],
  ['config', [], 'every setting with its value and origin', () => import('./commands/config.ts')],
];

export const commands: readonly CommandEntry[] = rows.map(([name, args, summary, load]) => ({
  name,
  args,
  summary,
  load,
}));
