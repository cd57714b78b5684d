import { parseArgs } from 'node:util';
import type { Invocation, Option, Options } from './command.ts';
import type { NamedCommand } from './commands.ts';
import { usageError } from './errors.ts';
import { findNearest } from '../client/nearest.ts';

/** Options every command takes. */
export const commonOptions: Options = {
  json: { help: 'print JSON on standard output, nothing else' },
  help: { short: 'h', help: 'show this help' },
};

/** Undefined if help is asked for. @throws CliError (exit 2) for the first invalid option or argument. */
export function parseInvocation(
  command: NamedCommand,
  argv: readonly string[],
): Invocation | undefined {
  const known: Options = { ...command.options, ...commonOptions };
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([name, { value, short }]) => {
        const type: 'boolean' | 'string' = value === undefined ? 'boolean' : 'string';
        return [name, short === undefined ? { type } : { type, short }];
      }),
    ),
  });
  const args: string[] = [];
  const texts = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (option === undefined) throw unknownOption(command, token.rawName, Object.keys(known));
    texts.set(token.name, readText(command, option, token));
  }
  if (texts.has('help')) return undefined;
  checkCount(command, args);
  const json = texts.delete('json');
  const values = [...texts].map(([name, text]) => [name, toValue(known[name], name, text)]);
  return { args, options: Object.fromEntries(values), json };
}

const toValue = (option: Option | undefined, name: string, text: string | true): unknown =>
  text === true || option?.parse === undefined ? text : option.parse(text, `--${name}`);

function readText(
  command: NamedCommand,
  option: Option,
  token: { rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): string | true {
  if (option.value === undefined) {
    if (token.value === undefined) return true;
    throw usageError(`${token.rawName} takes no value, got "${token.value}".`);
  }
  // `--model --json` lacks a value; a value that starts with a dash is written `--reason=-x`.
  const forgotten = token.inlineValue === false && /^-[^\d]/.test(token.value ?? '');
  if (token.value === undefined || token.value === '' || forgotten) {
    throw usageError(
      `${token.rawName} needs a value: ${token.rawName} <${option.value}>. See: agent ${command.name} --help`,
    );
  }
  return token.value;
}

function unknownOption(command: NamedCommand, typed: string, known: readonly string[]): Error {
  const [nearest] = findNearest(typed.replace(/^-+/, ''), known);
  const hint = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
  return usageError(
    `Unknown option ${typed} for "agent ${command.name}".${hint} See: agent ${command.name} --help`,
  );
}

function checkCount(command: NamedCommand, args: readonly string[]): void {
  const max = command.args.length;
  const min = command.args.filter((name) => !name.startsWith('[')).length;
  const many = command.args.at(-1)?.includes('…') === true;
  const usage = `Usage: agent ${command.name} ${command.args.join(' ')}`.trimEnd();
  if (args.length < min) {
    throw usageError(`Missing ${command.args[args.length] ?? ''}. ${usage}`);
  }
  if (args.length > max && !many) {
    const hint = command.quote === true ? ' Put text of several words in quotes.' : '';
    throw usageError(`Unexpected argument "${args[max] ?? ''}".${hint} ${usage}`);
  }
}
