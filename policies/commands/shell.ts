import type { CommandAccess } from '../action.ts';
import type { PipelineNode, Statement } from 'unbash';
import { isCovered } from '../paths/coverage.ts';
import type { CommandLine, Pipeline, SimpleCommand } from './command.ts';
import { locate } from '../paths/paths.ts';
import { NeedsShell, toCommands, toLiteral } from './simple-command.ts';
import { parseShell } from './syntax.ts';

/** Not a command line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

interface ParseOptions {
  /** Starting folder, relative to the workspace root. Default `.`. */
  readonly cwd?: string;
  /** Absolute path of the workspace root, for `cd` to an absolute path inside it. */
  readonly workspace?: string;
}

interface Reader {
  readonly workspace: string | undefined;
  cwd: readonly string[];
  /** The `cd` may not have happened, so the rest must depend on it too. */
  conditional: boolean;
  readonly pipelines: Pipeline[];
}

const toCwd = (names: readonly string[]): string => (names.length === 0 ? '.' : names.join('/'));

/**
 * Reduces shell text to plain words: `&&`, `||`, `;`, newlines, pipes, `cd`, redirections, here-documents and groups.
 * Anything a shell computes (variables, substitution, globs, assignments, control flow) and anything that does not
 * parse gives `kind: 'shell'`.
 */
export function parseCommand(text: string, options: ParseOptions = {}): CommandLine {
  const cwd = options.cwd ?? '.';
  const shell = (why: string): CommandLine => ({ kind: 'shell', text, why, cwd });
  try {
    const parsed = parseShell(text);
    if (!parsed.ok) return shell(`it ${parsed.problem}`);
    const { script } = parsed;
    const { workspace } = options;
    const start = locate(cwd, { workspace, cwd: [] });
    if (!start.ok) return shell(start.reason);
    const reader: Reader = { workspace, cwd: start.names, conditional: false, pipelines: [] };
    readStatements(reader, script.commands);
    if (!isCovered(text, script)) return shell('it contains an unexpected character');
    if (reader.pipelines.length === 0) return shell('it contains no command');
    return { kind: 'plain', pipelines: reader.pipelines };
  } catch (error) {
    return shell(
      error instanceof NeedsShell ? error.message : `it cannot be read: ${String(error)}`,
    );
  }
}

function readStatements(reader: Reader, statements: readonly Statement[]): void {
  for (const [index, { command, background }] of statements.entries()) {
    if (background === true) throw new NeedsShell('it starts something in the background (&)');
    const isLast = index === statements.length - 1;
    if (command.type === 'AndOr') readList(reader, command.commands, command.operators, isLast);
    else if (command.type === 'Subshell') {
      const { cwd } = reader;
      readStatements(reader, command.body.commands);
      reader.cwd = cwd;
      reader.conditional = false;
    } else if (command.type === 'BraceGroup') readStatements(reader, command.body.commands);
    else readList(reader, [command], [], isLast);
  }
}

function readList(
  reader: Reader,
  members: readonly PipelineNode[],
  operators: readonly string[],
  isLast: boolean,
): void {
  // A folded `cd` passes its own condition on to what `&&` joins to it.
  let carried: Pipeline['when'] | undefined;
  for (const [index, member] of members.entries()) {
    const operator = operators[index - 1];
    const joined = operator === '&&' ? 'and' : operator === '||' ? 'or' : 'then';
    if (reader.conditional && joined !== 'and') {
      throw new NeedsShell('whether its "cd" takes place is known only when it runs');
    }
    const when = carried ?? joined;
    carried = undefined;
    const target = changedFolder(member);
    if (target === undefined) {
      push(reader, when, toCommands(member));
      continue;
    }
    const next = operators[index];
    if (when === 'or' || next === '||') throw new NeedsShell('"cd" is joined with "||"');
    changeFolder(reader, target);
    if (when === 'and') reader.conditional = true;
    if (next === '&&') carried = when;
    // Nothing follows, so the outcome is whether the folder exists.
    else if (isLast) push(reader, when, [{ argv: ['true'], redirects: [] }]);
  }
}

function push(
  { pipelines, cwd }: Reader,
  when: Pipeline['when'],
  commands: readonly SimpleCommand[],
): void {
  pipelines.push({ when: pipelines.length === 0 ? 'first' : when, cwd: toCwd(cwd), commands });
}

/** The operand of a plain `cd dir`; undefined for any other command. */
function changedFolder(node: PipelineNode): string | undefined {
  if (node.type !== 'Command' || node.name?.text !== 'cd') return undefined;
  const words = node.args.map((word) => (word.type === 'Word' ? toLiteral(word) : ''));
  const [target = ''] = words;
  if (
    node.prefix.length > 0 ||
    node.redirects.length > 0 ||
    words.length !== 1 ||
    /^-|^$/.test(target)
  ) {
    throw new NeedsShell('"cd" takes exactly one folder here');
  }
  return target;
}

function changeFolder(reader: Reader, target: string): void {
  const located = locate(target, reader);
  if (!located.ok) throw new NeedsShell(`"cd" leaves the workspace: ${located.reason}`);
  reader.cwd = located.names;
}

/**
 * The command line a tool asks for, with paths relative to the workspace root. @throws CommandError unless it is
 * either text or a list of words and starts in the workspace.
 */
export function toCommandLine(
  { command, argv, cwd = '.' }: Omit<CommandAccess, 'section'>,
  workspace?: string,
): CommandLine {
  const located = locate(cwd, { workspace, cwd: [] });
  if (!located.ok)
    throw new CommandError(`"cwd" is not a folder of the workspace: ${located.reason}`);
  const folder = toCwd(located.names);
  if (command !== undefined && argv === undefined)
    return parseCommand(command, { cwd: folder, workspace });
  if (command !== undefined || argv === undefined || argv.length === 0)
    throw new CommandError('Expected a command line: "npm test" or ["npm", "test"].');
  const only: SimpleCommand = { argv, redirects: [] };
  return { kind: 'plain', pipelines: [{ when: 'first', cwd: folder, commands: [only] }] };
}
