/** All commands by name. Their code is in `commands/` and is not loaded here. */
import type { Command } from './command.ts';

/** What help and spelling suggestions need of a command. */
export interface CommandEntry {
  /** One or two words: `list`, `policies check`. */
  readonly name: string;
  /** `[x]` is optional; `x…` repeats. */
  readonly args: readonly string[];
  readonly summary: string;
}

/** In help order. */
const rows: readonly (readonly [name: string, args: string, summary: string])[] = [
  ['run', '"goal"', 'carry out a goal in the workspace; "-" reads it from standard input'],
  ['list', '', 'runs, newest first'],
  ['show', 'run', 'what a run is doing, its plan, use and result'],
  ['attach', 'run', 'watch a run and answer it; Ctrl-C leaves it running'],
  ['logs', 'run', 'what happened in a run'],
  ['pause', 'run', 'pause a run after the current action'],
  ['resume', 'run', 'resume a paused run'],
  ['cancel', 'run', 'end a run; what it did so far stays'],
  ['say', 'run "message"', 'send a run a message, or answer its question'],
  ['approve', 'run [request]', 'allow the action a run asks about'],
  ['deny', 'run [request]', 'refuse the action a run asks about'],
  ['diff', 'run', 'what a run changed in the workspace'],
  ['undo', 'run', 'revert the changes of an ended run; files changed since stay'],
  ['promote', 'run', 'apply the changes of a staged run to its folder'],
  ['rewind', 'run', 'rewind an open run and its workspace to the start of a step'],
  ['fork', 'run ["goal"]', 'a new run from the start of a step, in a copy of the workspace'],
  ['restore', 'run|file', 'continue a run from its log when the Temporal server has lost it'],
  ['tools list', '', 'tools the model may call'],
  ['tools invoke', 'tool', 'call one tool exactly as a run would'],
  ['policies validate', '', 'find every mistake in the policy files'],
  ['policies show', '', 'the policy in force'],
  ['policies reload', '', 'put the policy folder in force, for running runs too'],
  ['policies forget', 'rule', 'remove a rule that approve --always added'],
  [
    'policies check',
    '["command"]',
    'what the policy says about a command, or about each case in a file',
  ],
  ['policies explain', '"command"', 'how the policy reaches its verdict on a command'],
  ['policies replay', 'run|file', 'which decisions of a run a different policy would change'],
  ['policies test', '', 'run the examples written in the policy files'],
  ['audit verify', '[run|file.tgz]', 'check the hash chains of the record, or an export, offline'],
  ['audit reconcile', 'run', 'compare the record of a run with Temporal, event by event'],
  ['audit export', 'run', 'write the whole record of a run into one signed file'],
  ['audit tail', '[run]', 'the newest entries of the audit log, or of one run in it'],
  ['replay', 'run|file…', 'check recorded histories against the current workflow code'],
  ['up', '', 'start the local stack (commands that need it do so themselves)'],
  ['down', '', 'stop the local stack; open runs continue at the next start'],
  ['ps', '', 'parts of the local stack'],
  ['temporal', '[words…]', 'the Temporal CLI on the local stack; its words come after --'],
  ['doctor', '', 'check this machine; changes nothing'],
  ['config', '', 'every setting with its value and origin'],
];

export const commands: readonly CommandEntry[] = rows.map(([name, args, summary]) => ({
  name,
  args: args === '' ? [] : args.split(' '),
  summary,
}));

/** A command with its name and summary. */
export type NamedCommand = CommandEntry & Command;

/** `policies check` is in `commands/policies-check.ts`. */
export async function loadCommand(entry: CommandEntry): Promise<NamedCommand> {
  const file = `./commands/${entry.name.replace(' ', '-')}.ts`;
  const { command } = (await import(file)) as { readonly command: Command };
  return { ...entry, ...command };
}
