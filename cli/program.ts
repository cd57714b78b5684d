import type { CommandEntry, NamedCommand } from './commands.ts';
import { commands, loadCommand } from './commands.ts';
import { usageError } from './errors.ts';
import { findNearest } from '../client/nearest.ts';

/** Runs the command line `argv` and returns the exit code. Never throws: errors become a message and a code. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  // The reader of a pipe may leave early (`agent list | head`); that is not an error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  let command: NamedCommand | undefined;
  try {
    const [first = ''] = argv;
    if (['--version', '-V'].includes(first)) return await printVersion();
    if (isHelp(first) || first === 'help') return await printHelp(argv.slice(1));
    if (argv.length === 0) {
      const { renderHelp } = await import('./help.ts');
      process.stderr.write(renderHelp(commands));
      return 2;
    }
    if (isHelp(argv[1]) && membersOf(first).length > 0) return await printHelp([first]);
    const { entry, rest } = chooseCommand(argv);
    command = await loadCommand(entry);
    const { parseInvocation } = await import('./arguments.ts');
    const invocation = parseInvocation(command, rest);
    return await (invocation === undefined
      ? printHelp(command.name.split(' '))
      : command.run(invocation));
  } catch (error) {
    const { reportError } = await import('./render/report.ts');
    const json = argv.includes('--json') && command?.streams !== true;
    return await reportError(error, json);
  }
}

interface Choice {
  readonly entry: CommandEntry;
  readonly rest: readonly string[];
}

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

const membersOf = (group: string): readonly CommandEntry[] =>
  commands.filter(({ name }) => name.startsWith(`${group} `));

const findCommand = (name: string): CommandEntry | undefined =>
  commands.find((command) => command.name === name);

/** Finds the command in `argv`; several words in one argument, or options alone, are a goal for `run`. */
export function chooseCommand(argv: readonly string[]): Choice {
  const [first = '', second = ''] = argv;
  const pair = findCommand(`${first} ${second}`);
  if (pair !== undefined) return { entry: pair, rest: argv.slice(2) };
  const single = findCommand(first);
  if (single !== undefined) return { entry: single, rest: argv.slice(1) };
  const group = membersOf(first);
  if (group.length > 0) throw unknownInGroup(first, second, group);
  const run = findCommand('run');
  if (run !== undefined && (/\s/.test(first.trim()) || first === '-')) {
    return { entry: run, rest: argv };
  }
  if (run !== undefined && first.startsWith('-')) {
    const word = argv.find((text) => findCommand(text) !== undefined && !text.startsWith('-'));
    if (word === undefined) return { entry: run, rest: argv };
    throw usageError(`Options come after the command: agent ${word} ${first}`);
  }
  throw unknownCommand(first);
}

function unknownInGroup(group: string, typed: string, members: readonly CommandEntry[]): Error {
  const names = members.map(({ name }) => name.slice(group.length + 1));
  const list = names.map((name) => `agent ${group} ${name}`).join(', ');
  return usageError(
    typed === '' || typed.startsWith('-')
      ? `"agent ${group}" needs one more word: ${list}.`
      : `Unknown command "${group} ${typed}". Known: ${list}.`,
  );
}

function unknownCommand(typed: string): Error {
  const words = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
  const [near] = findNearest(typed, words);
  const hint = near === undefined ? '' : ` Did you mean "agent ${near}"?`;
  return usageError(
    `Unknown command "${typed}".${hint} All commands: agent --help. For a goal: agent run "${typed} …".`,
  );
}

async function printHelp(words: readonly string[]): Promise<number> {
  const help = await import('./help.ts');
  const [first = ''] = words;
  if (first === '' || first.startsWith('-')) {
    process.stdout.write(help.renderHelp(commands));
    return 0;
  }
  const group = membersOf(first);
  process.stdout.write(
    group.length > 0 && words.length === 1
      ? help.renderGroupHelp(first, group)
      : help.renderCommandHelp(await loadCommand(chooseCommand(words).entry)),
  );
  return 0;
}

async function printVersion(): Promise<number> {
  const { readVersion } = await import('../config/version.ts');
  process.stdout.write(`${readVersion()}\n`);
  return 0;
}
