import { parse } from 'unbash';
import type {
  Command,
  HereDoc,
  PipelineNode,
  Redirection,
  Statement,
  Word,
  WordPart,
} from 'unbash';
import type { CommandLine, Pipeline, Redirect, SimpleCommand } from './command.ts';
import { locate } from './paths.ts';

/** Arguments of `run_command` that are none. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

export interface ParseOptions {
  /** Folder the line starts in, relative to the workspace root. Default `.`. */
  readonly cwd?: string;
  /** Absolute path of the workspace root, so that `cd` to an absolute path inside it is understood. */
  readonly workspace?: string;
}

/** Why a text is not a line of plain words: only a shell would know what it does. */
class NeedsShell extends Error {}

interface Reader {
  readonly workspace: string | undefined;
  cwd: readonly string[];
  /** A `cd` that may not have happened: the rest must depend on it too. */
  conditional: boolean;
  readonly pipelines: Pipeline[];
}

const toCwd = (names: readonly string[]): string => (names.length === 0 ? '.' : names.join('/'));

/**
 * Reduces shell text to plain words: lists with `&&`, `||`, `;` and newlines, pipes, `cd`, redirections, here-documents,
 * groups. Everything a shell would compute (variables, substitution, globs, assignments, control flow) gives
 * `kind: 'shell'`, as does text that does not parse.
 */
export function parseCommand(text: string, options: ParseOptions = {}): CommandLine {
  const cwd = options.cwd ?? '.';
  const shell = (why: string): CommandLine => ({ kind: 'shell', text, why, cwd });
  try {
    const script = parse(text);
    const [error] = script.errors ?? [];
    if (error !== undefined) return shell(`it does not parse: ${error.message}`);
    const start = locate(cwd, { ...toWorkspace(options.workspace), cwd: [] });
    if (!start.ok) return shell(start.reason);
    const { workspace } = options;
    const reader: Reader = { workspace, cwd: start.names, conditional: false, pipelines: [] };
    readStatements(reader, script.commands);
    // The parser passes over an opened group at the end without a word; bash does not.
    if (/\(\s*$/.test(text)) return shell('it ends in an opening parenthesis');
    if (reader.pipelines.length === 0) return shell('it contains no command');
    return { kind: 'plain', pipelines: reader.pipelines };
  } catch (error) {
    return shell(
      error instanceof NeedsShell ? error.message : `it cannot be read: ${String(error)}`,
    );
  }
}

const toWorkspace = (workspace: string | undefined) =>
  workspace === undefined ? {} : { workspace };

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
  // A folded `cd` hands its own condition on to what `&&` joins to it.
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
    // Nothing follows: whether the folder exists is the outcome.
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
  const words = node.args.map((word) => (word.type === 'Word' ? toPlainWord(word) : ''));
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
  const located = locate(target, { ...toWorkspace(reader.workspace), cwd: reader.cwd });
  if (!located.ok) throw new NeedsShell(`"cd" leaves the workspace: ${located.reason}`);
  reader.cwd = located.names;
}

function toCommands(node: PipelineNode): SimpleCommand[] {
  if (node.type === 'Command') return [toSimple(node, false)];
  if (node.type !== 'Pipeline') throw new NeedsShell(`it uses ${constructOf(node.type)}`);
  if (node.prefixes.length > 0) throw new NeedsShell('it uses "!" or "time"');
  return node.commands.map((command, index) => {
    if (command.type !== 'Command') throw new NeedsShell(`it uses ${constructOf(command.type)}`);
    if (command.name?.text === 'cd') throw new NeedsShell('it changes the folder inside a pipe');
    return toSimple(command, node.operators[index] === '|&');
  });
}

const constructOf = (type: string): string =>
  type === 'Subshell' || type === 'BraceGroup' ? 'a group inside a list' : `shell syntax (${type})`;

function toSimple({ name, prefix, args, redirects }: Command, errorsToo: boolean): SimpleCommand {
  if (prefix.some(({ type }) => type === 'Assignment'))
    throw new NeedsShell('it assigns a variable');
  if (name === undefined) throw new NeedsShell('it redirects without a command');
  const argv = [name, ...args].map((word) => {
    if (word.type !== 'Word') throw new NeedsShell('it assigns a variable');
    return toPlainWord(word);
  });
  const read = redirects.flatMap(toRedirects);
  if (errorsToo) read.push({ kind: 'duplicate', from: 2, to: 1 });
  return { argv, redirects: read };
}

/** The word as the program receives it. */
function toPlainWord(word: Word): string {
  const parts = word.parts ?? [];
  // A tilde is expanded at the start of a word and, in bash, after "=" and ":" of what looks like an assignment.
  if (/^~|^[A-Za-z_]\w*=(?:.*:)?~/.test(word.text)) throw new NeedsShell('it uses "~"');
  for (const part of parts) checkPart(part);
  return word.value;
}

function checkPart(part: WordPart): void {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return;
    case 'DoubleQuoted':
      for (const inner of part.parts) checkPart(inner);
      return;
    case 'Glob':
    case 'ExtendedGlob':
      throw new NeedsShell(`it uses the pattern ${part.text} unquoted`);
    case 'BraceExpansion':
      throw new NeedsShell(`it uses the braces ${part.text} unquoted`);
    case 'LocaleString':
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'CommandExpansion':
    case 'ArithmeticExpansion':
    case 'ProcessSubstitution':
      throw new NeedsShell(`it uses ${part.text.slice(0, 40)}`);
  }
}

function toRedirects(redirection: Redirection): Redirect[] {
  const { descriptor } = redirection;
  if (descriptor?.type === 'FileDescriptorVariable') throw new NeedsShell('it names a descriptor');
  const fd = descriptor?.value;
  if (redirection.type === 'HereDoc') {
    if (fd !== undefined && fd !== 0) throw new NeedsShell('it redirects another input');
    return [{ kind: 'text', text: textOf(redirection) }];
  }
  const { operator, target } = redirection;
  if (target === undefined) throw new NeedsShell('it redirects to nothing');
  const path = toPlainWord(target);
  if (operator === '<<<' || operator === '<') {
    if (fd !== undefined && fd !== 0) throw new NeedsShell('it redirects another input');
    return operator === '<' ? [{ kind: 'input', path }] : [{ kind: 'text', text: `${path}\n` }];
  }
  if (fd !== undefined && fd !== 1 && fd !== 2) throw new NeedsShell(`it redirects output ${fd}`);
  const append = operator === '>>' || operator === '&>>';
  const both: Redirect[] = [
    { kind: 'output', fd: 1, path, append },
    { kind: 'duplicate', from: 2, to: 1 },
  ];
  switch (operator) {
    case '>':
    case '>>':
    case '>|':
      return [{ kind: 'output', fd: fd ?? 1, path, append }];
    case '&>':
    case '&>>':
      return both;
    case '>&': {
      if (path !== '1' && path !== '2') {
        if (fd !== undefined || /^\d+-?$|^-$/.test(path)) throw new NeedsShell(`it uses >&${path}`);
        return both;
      }
      return [{ kind: 'duplicate', from: fd ?? 1, to: path === '1' ? 1 : 2 }];
    }
    case '<&':
    case '<>':
      throw new NeedsShell(`it uses the redirection ${operator}`);
  }
}

function textOf({ operator, delimiter, body, closing }: HereDoc): string {
  if (closing === undefined) throw new NeedsShell('a here-document is not closed');
  if (delimiter?.quoted !== true && /[$`\\]/.test(body.text)) {
    throw new NeedsShell("a here-document expands $, ` or \\ (quote its delimiter: <<'EOF')");
  }
  return operator === '<<-' ? body.text.replace(/^\t+/gm, '') : body.text;
}

/**
 * The command line that `run_command` arguments stand for. Paths of the result are relative to the workspace root.
 * @throws CommandError when the arguments are not `{command | argv, cwd?}` of the right types.
 */
export function toCommandLine(
  args: Readonly<Record<string, unknown>>,
  workspace?: string,
): CommandLine {
  const { command, argv, cwd = '.' } = args;
  if ((command === undefined) === (argv === undefined)) {
    throw new CommandError(
      'run_command takes either "command" (text) or "argv" (a list of words).',
    );
  }
  if (typeof cwd !== 'string') throw new CommandError('"cwd" must be text, such as "packages/a".');
  const located = locate(cwd, { ...toWorkspace(workspace), cwd: [] });
  if (!located.ok)
    throw new CommandError(`"cwd" is not a folder of the workspace: ${located.reason}`);
  const folder = toCwd(located.names);
  if (typeof command === 'string') {
    return parseCommand(command, { cwd: folder, ...toWorkspace(workspace) });
  }
  if (
    !Array.isArray(argv) ||
    argv.length === 0 ||
    !argv.every((word) => typeof word === 'string')
  ) {
    const wanted =
      command === undefined ? '"argv" must be a list of words' : '"command" must be text';
    throw new CommandError(`${wanted}, such as "npm test" or ["npm", "test"].`);
  }
  const only: SimpleCommand = { argv, redirects: [] };
  return { kind: 'plain', pipelines: [{ when: 'first', cwd: folder, commands: [only] }] };
}
