import type {
  Assignment,
  Command,
  HereDoc,
  PipelineNode,
  Redirection,
  Word,
  WordPart,
} from 'unbash';
import type { Redirect, SimpleCommand, Variable } from './command.ts';

/** The text is not a plain command line: only a shell knows what it does. */
export class NeedsShell extends Error {}

/** Shell builtins without a program of their own: they change the shell itself. */
const builtinNames =
  '. : alias bg break builtin command continue declare disown eval exec exit export fg hash jobs let local mapfile popd pushd read readonly return set shift shopt source trap type typeset ulimit umask unalias unset wait';
const builtins: ReadonlySet<string> = new Set(builtinNames.split(' '));

/** The programs of a pipe, left to right. @throws NeedsShell if one is more than words and redirections. */
export function toCommands(node: PipelineNode): SimpleCommand[] {
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
  const assigned = prefix.filter((part) => part.type === 'Assignment');
  if (name === undefined) {
    const why = assigned.length > 0 ? 'assigns a variable' : 'redirects';
    throw new NeedsShell(`it ${why} without a command`);
  }
  const variables = assigned.map(toVariable);
  const argv = [name, ...args].map((word) => {
    if (word.type !== 'Word') throw new NeedsShell('it assigns a variable');
    return toLiteral(word);
  });
  const [command = ''] = argv;
  // The one form models use: to check that a program exists.
  if (command === 'command' && argv[1] === '-v') argv.splice(0, 2, 'which');
  else if (builtins.has(command))
    throw new NeedsShell(`it uses "${command}", which is part of the shell`);
  const read = redirects.flatMap(toRedirects);
  if (errorsToo) read.push({ kind: 'duplicate', from: 2, to: 1 });
  return { argv, redirects: read, variables: variables.length === 0 ? undefined : variables };
}

/** Globs and braces are not expanded in a value. */
function toVariable({ name, value, append, index }: Assignment): Variable {
  if (append === true || index !== undefined || value.type === 'ArrayValue')
    throw new NeedsShell('it assigns more than a plain value to a variable');
  if (/(?:^|:)~/.test(value.text)) throw new NeedsShell('it uses "~"');
  for (const part of value.parts ?? []) if (part.type !== 'Glob') checkPart(part);
  return { name, value: value.value };
}

/** Unclosed openings that the parser lets pass but bash does not, such as `$[`. */
const unread = /\$[[({]/;

/** The word as the program receives it. @throws NeedsShell if only a shell knows. */
export function toLiteral(word: Word): string {
  const parts = word.parts ?? [];
  // bash expands a tilde at the start of a word and after "=" and ":" in anything that looks like an assignment.
  if (/^~|^[A-Za-z_]\w*=(?:.*:)?~/.test(word.text)) throw new NeedsShell('it uses "~"');
  if (unread.test(word.text.replaceAll(/\\[^]|'[^']*'/g, '')))
    throw new NeedsShell('it uses "$" in a way that is not understood');
  // A pattern in an option (`--include=*.ts`) is meant for the program, and no file has such a name.
  const isOption = word.text.startsWith('-');
  for (const part of parts) if (!isOption || part.type !== 'Glob') checkPart(part);
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
  const path = toLiteral(target);
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
        // bash reads the word twice: as a number, then as a name.
        const isName =
          /^[\w./-]+$/.test(target.text) && /[A-Za-z_./]/.test(target.text) && !/^-|-$/.test(path);
        if (fd !== undefined || !isName) throw new NeedsShell(`it uses >&${path}`);
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
