import { commonOptions } from './arguments.ts';
import type { Option } from './command.ts';
import type { CommandEntry, NamedCommand } from './commands.ts';

const toSignature = ({ name, args }: Pick<CommandEntry, 'name' | 'args'>): string =>
  [name, ...args.map(toPlaceholder)].join(' ');

const toPlaceholder = (name: string): string =>
  name.startsWith('[') || name.startsWith('"') ? name : `<${name}>`;

/** Help for the whole program. */
export function renderHelp(commands: readonly CommandEntry[]): string {
  return [
    'agent: carries out a goal in a folder, durably. Runs survive any crash.',
    '',
    'Usage: agent "goal"              the same as: agent run "goal"',
    '       agent <command> [options] --json for programs, --help for more',
    '',
    'Commands',
    ...toRows(commands),
    '',
    'Exit codes: 0 done · 1 failed · 2 usage · 3 needs approval or input · 4 budget · 5 stuck · 6 left running',
    '            7 denied by policy · 8 rejected by the reviewer · 69 model or Temporal unavailable · 75 try again',
    '            78 configuration · 130 cancelled',
    '',
    'Try it without a model: agent run --demo "Describe this workspace"',
    '',
  ].join('\n');
}

/** Help for commands sharing their first word. */
export const renderGroupHelp = (group: string, commands: readonly CommandEntry[]): string =>
  [`agent ${group}: one of`, '', ...toRows(commands), ''].join('\n');

function toRows(commands: readonly CommandEntry[]): string[] {
  const width = Math.max(...commands.map((command) => toSignature(command).length));
  return commands.map((command) => `  ${toSignature(command).padEnd(width)}  ${command.summary}`);
}

/** Help for one command. */
export function renderCommandHelp(command: NamedCommand): string {
  const rows = Object.entries({ ...command.options, ...commonOptions }).map(
    ([name, option]) => [toOption(name, option), option.help] as const,
  );
  const width = Math.max(...rows.map(([option]) => option.length));
  return [
    `agent ${command.name}: ${command.summary}`,
    '',
    `Usage: agent ${toSignature(command)} [options]`,
    '',
    ...rows.map(([option, help]) => `  ${option.padEnd(width)}  ${help}`),
    '',
    `Example: ${command.example}`,
    '',
  ].join('\n');
}

const toOption = (name: string, { short, value }: Option): string =>
  `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
