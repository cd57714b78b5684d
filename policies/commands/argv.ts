import { isPrintingAwk, isPrintingSed } from './filters.ts';
import type { Option, ArgType } from './arg-spec.ts';
import { anyText, typesOf } from './arg-spec.ts';
import type { CommandRule } from '../policy.ts';

/** A word of a command line and what the command takes it for. */
export interface TypedArg {
  readonly type: ArgType;
  readonly text: string;
  /** Index in argv; for an attached value, its option's index. */
  readonly at: number;
}

/** argv as the command's own option parser would read it, or why the grammar does not cover it. */
export type Reading =
  | {
      readonly ok: true;
      /** The command and its subcommands; `at` is the index after the name. */
      readonly levels: readonly { readonly rule: CommandRule; readonly at: number }[];
      readonly words: readonly TypedArg[];
      /** Index of the `--` that ends the options. */
      readonly end?: number;
      /** An option that needs approval. */
      readonly asking?: string;
    }
  | { readonly ok: false; readonly rule: CommandRule; readonly problem: string };

class Refused extends Error {}

/** Reads `argv` by its command's grammar. `argv[0]` is the name the rule was found under. */
export function readArgv(command: CommandRule, argv: readonly string[]): Reading {
  const levels: { rule: CommandRule; at: number }[] = [];
  const words: TypedArg[] = [];
  let asking: string | undefined;
  let rule = command;
  let at = 1;
  const used = new Set<string>();
  const option = (index: number) => {
    const read = readOption(rule, argv, index);
    words.push(...read.words);
    for (const name of read.names) {
      used.add(name);
      if (rule.asking.has(name)) asking ??= name;
    }
    return read;
  };
  try {
    for (;;) {
      levels.push({ rule, at });
      if (rule.verdict === 'deny') return { ok: true, levels, words: [] };
      if (rule.sub.size === 0) break;
      while (isOption(argv[at])) at = option(at).next;
      if (rule.alone && at === argv.length) break;
      const name = argv[at] ?? '';
      const next = rule.sub.get(name);
      if (next === undefined) throw new Refused(subProblem(rule, name));
      rule = next;
      at++;
    }
    const operands: number[] = [];
    let end: number | undefined;
    for (let ended = false; at < argv.length;) {
      if (!ended && argv[at] === '--') {
        ended = true;
        end = at++;
      } else if (!ended && isOption(argv[at]) && !(rule.lenient && isUnlisted(rule, argv[at]))) {
        const { next, last } = option(at);
        at = next;
        if (last) {
          for (; at < argv.length; at++) words.push({ type: anyText, text: argv[at] ?? '', at });
        }
      } else {
        operands.push(at++);
        ended ||= rule.stop;
      }
    }
    words.push(...typeOperands(rule, used, argv, operands));
    return { ok: true, levels, words, end, asking };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, rule, problem: error.message };
    throw error;
  }
}

const isOption = (word: string | undefined): boolean =>
  word !== undefined && word.startsWith('-') && word !== '-' && word !== '--';

const isUnlisted = ({ options }: CommandRule, word: string | undefined): boolean =>
  word !== undefined && !options.has(word);

function typeOperands(
  rule: CommandRule,
  used: ReadonlySet<string>,
  argv: readonly string[],
  operands: readonly number[],
): TypedArg[] {
  const isUsed = (names: ReadonlySet<string>): boolean => [...used].some((name) => names.has(name));
  const other = rule.otherwise.find(
    ({ given, and }) => isUsed(given) && (and === undefined || isUsed(and)),
  );
  const expected = other?.operands ?? rule.operands;
  const types = typesOf(expected, operands.length);
  if (types === undefined) {
    const wanted = expected.text === '' ? 'none' : expected.text;
    throw new Refused(`${operands.length} operands do not fit; expected: ${wanted}`);
  }
  return operands.map((at, index) => ({ type: types[index] ?? anyText, text: argv[at] ?? '', at }));
}

interface OptionReading {
  readonly next: number;
  readonly names: readonly string[];
  readonly words: readonly TypedArg[];
  readonly last: boolean;
}

function readOption(rule: CommandRule, argv: readonly string[], at: number): OptionReading {
  const word = argv[at] ?? '';
  if (rule.options.has('-NUM') && /^-\d+$/.test(word)) {
    return { next: at + 1, names: [word], words: [], last: false };
  }
  if (rule.style === 'gnu' && !word.startsWith('--')) return readCluster(rule, argv, at);
  const equals = word.indexOf('=');
  const name = equals < 0 || rule.options.has(word) ? word : word.slice(0, equals);
  const option = rule.options.get(name);
  if (option === undefined) throw new Refused(optionProblem(rule, name));
  return takeValue(option, argv, at, name === word ? undefined : word.slice(equals + 1), [name]);
}

/** `-la` is `-l -a`; `-n5` is `-n 5`; in `-am text` the last letter takes the next word. */
function readCluster(rule: CommandRule, argv: readonly string[], at: number): OptionReading {
  const word = argv[at] ?? '';
  const names: string[] = [];
  for (let index = 1; index < word.length; index++) {
    const name = `-${word[index] ?? ''}`;
    const option = rule.options.get(name);
    if (option === undefined) throw new Refused(optionProblem(rule, name));
    names.push(name);
    if (option.takes !== 'nothing') {
      const rest = word.slice(index + 1);
      return takeValue(option, argv, at, rest === '' ? undefined : rest, names);
    }
  }
  return { next: at + 1, names, words: [], last: false };
}

function takeValue(
  { name, takes, type, last }: Option,
  argv: readonly string[],
  at: number,
  attached: string | undefined,
  names: readonly string[],
): OptionReading {
  if (attached !== undefined) {
    if (takes === 'nothing') throw new Refused(`${name} takes no value`);
    return { next: at + 1, names, words: [{ type, text: attached, at }], last };
  }
  if (takes === 'attached') throw new Refused(`${name} needs a value, written ${name}=value`);
  if (takes !== 'required') return { next: at + 1, names, words: [], last };
  const value = argv[at + 1];
  if (value === undefined) throw new Refused(`${name} needs a value`);
  return { next: at + 2, names, words: [{ type, text: value, at: at + 1 }], last };
}

const listOf = (names: Iterable<string>): string => {
  const all = [...names];
  const shown = all.slice(0, 12).join(' ');
  return all.length > 12 ? `${shown} …` : shown;
};

const optionProblem = ({ options }: CommandRule, name: string): string =>
  options.size === 0
    ? `the option ${name} is not on the list; no options are`
    : `the option ${name} is not on the list: ${listOf(options.keys())}`;

const subProblem = ({ sub }: CommandRule, name: string): string =>
  name === ''
    ? `a subcommand is missing; expected one of: ${listOf(sub.keys())}`
    : `the subcommand ${name} is not on the list: ${listOf(sub.keys())}`;

/** Folders that builds and package managers create and can recreate. */
const made =
  'dist, build, out, output, coverage, .nyc_output, node_modules, target, tmp, temp, .tmp, .cache, .next, .nuxt, .turbo, .parcel-cache, .vite, .svelte-kit, __pycache__, .pytest_cache, .mypy_cache, .ruff_cache, .tox, htmlcov, storybook-static, test-results, playwright-report';
const madeFolders: ReadonlySet<string> = new Set(made.split(', '));

const forms: Readonly<Record<string, readonly [(text: string) => boolean, string]>> = {
  number: [(text) => /^[+-]?\d+(?:\.\d+)?[a-zA-Z]{0,3}$/.test(text), 'a number'],
  name: [(text) => /^(?!.*\.\.)[A-Za-z0-9@_.][\w@./:+-]*$/.test(text), 'a plain name'],
  mode: [
    (text) => /^(?:[0-7]{3}|0[0-7]{3}|[ugoa]*[+=-][rwxX]+(?:,[ugoa]*[+=-][rwxX]+)*)$/.test(text),
    'a mode such as +x',
  ],
  module: [
    (text) => /^@?\w[\w./-]*$/.test(text) && !text.split('/').includes('..'),
    'the name of a package',
  ],
  source: [(text) => !text.startsWith('@'), 'a path; a file of arguments (@file) is not taken'],
  waste: [
    (text) => madeFolders.has(text.split('/').findLast((name) => name !== '') ?? ''),
    `a folder that is made anew, such as dist or node_modules; delete other files one by one`,
  ],
  print: [isPrintingSed, 'a sed script that only prints, such as 1,20p or s/a/b/'],
  awk: [
    isPrintingAwk,
    'an awk program that only prints: without system, getline, ARGV, and after print without > and |',
  ],
};

/** Why a word is not valid in its place. Paths are judged elsewhere. */
export function argProblem({ type, text }: TypedArg): string | undefined {
  if (type.kind === 'one-of') {
    return type.values.includes(text)
      ? undefined
      : `${JSON.stringify(text)} is not one of ${type.values.join(', ')}`;
  }
  const form = forms[type.kind];
  if (form === undefined || form[0](text)) return undefined;
  return `${JSON.stringify(text.slice(0, 100))} is not ${form[1]}`;
}
