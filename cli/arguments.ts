import { parseArgs } from 'node:util';
import type { Command, Option } from './commands.ts';
import { usageError } from './errors.ts';
import { findNearest } from '../client/nearest.ts';

/** What was typed after the command's name. */
export interface Invocation {
  readonly args: readonly string[];
  readonly flags: Readonly<Record<string, string | true | undefined>>;
}

/** Options every command takes. */
export const commonOptions: Readonly<Record<string, Option>> = {
  json: { help: 'print JSON on standard output, nothing else' },
  help: { short: 'h', help: 'show this help' },
};

/** @throws CliError (exit 2) naming the first wrong option or argument. */
export function parseInvocation(command: Command, argv: readonly string[]): Invocation {
  const options = { ...command.options, ...commonOptions };
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value, short }]) => {
        const type: 'boolean' | 'string' = value === undefined ? 'boolean' : 'string';
        return [name, short === undefined ? { type } : { type, short }];
      }),
    ),
  });
  const args: string[] = [];
  const flags: Record<string, string | true> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(command, token.rawName, Object.keys(options));
    flags[token.name] = readValue(command, option, token);
  }
  if (flags['help'] === undefined) checkCount(command, args);
  return { args, flags };
}

function readValue(
  command: Command,
  option: Option,
  token: { rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): string | true {
  if (option.value === undefined) {
    if (token.value === undefined) return true;
    throw usageError(`${token.rawName} takes no value, got "${token.value}".`);
  }
  // `--model --json` forgot the value; a value that really starts with a dash is written `--reason=-x`.
  const forgotten = token.inlineValue === false && /^-[^\d]/.test(token.value ?? '');
  if (token.value === undefined || token.value === '' || forgotten) {
    throw usageError(
      `${token.rawName} needs a value: ${token.rawName} <${option.value}>. See: agent ${command.name} --help`,
    );
  }
  return token.value;
}

function unknownOption(command: Command, typed: string, known: readonly string[]): Error {
  const [nearest] = findNearest(typed.replace(/^-+/, ''), known);
  const hint = nearest === undefined ? '' : ` Did you mean --${nearest}?`;
  return usageError(
    `Unknown option ${typed} for "agent ${command.name}".${hint} See: agent ${command.name} --help`,
  );
}

function checkCount(command: Command, args: readonly string[]): void {
  const most = command.args.length;
  const least = command.args.filter((name) => !name.startsWith('[')).length;
  const many = command.args.at(-1)?.includes('…') === true;
  const usage = `Usage: agent ${command.name} ${command.args.join(' ')}`.trimEnd();
  if (args.length < least) {
    throw usageError(`Missing ${command.args[args.length] ?? ''}. ${usage}`);
  }
  if (args.length > most && !many) {
    const hint = command.quote === true ? ' Put text of several words in quotes.' : '';
    throw usageError(`Unexpected argument "${args[most] ?? ''}".${hint} ${usage}`);
  }
}
