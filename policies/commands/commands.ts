import type { Decision, Effect } from '../action.ts';
import type { CommandLine, Pipeline, Redirect } from './command.ts';
import { decideWritten, locate } from '../paths/paths.ts';
import type { PathOp, Where } from '../paths/paths.ts';
import type { CommandRule, Policy } from '../policy.ts';
import { strictestOf, strongest } from '../strictest.ts';
import { decideVariable } from '../variables.ts';
import { readArgv, argProblem } from './argv.ts';
import type { TypedArg } from './argv.ts';

/** Stands for what only a shell would know: a variable, the output of a command. */
export const unknownWord = '\uFFFC';

const hiddenFile = 'a name that starts with a dot must be written in full';

const maxShown = 120;

/** Command line for people: words that are not plain are quoted as JSON, at most 120 characters. */
export function renderArgv(argv: readonly string[]): string {
  // What is cut off below is not rendered: a line may have thousands of words, and is shown for each of them.
  const text = argv
    .slice(0, maxShown)
    .map((word) => word.slice(0, maxShown + 1).replaceAll(unknownWord, '…'))
    .map((word) => (/^[\w@%+=:,./~^…-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');
  return text.length > maxShown || argv.length > maxShown
    ? `${text.slice(0, maxShown - 1)}…`
    : text;
}

/** `timeout 5 nice npm test` is three programs deep; nobody needs this many. */
const maxNested = 16;

const writing: ReadonlySet<string> = new Set(['write', 'delete', 'move', 'target', 'waste']);

/** What a list does not have gets the policy's verdict on that; what a rule forbids stays forbidden. */
export function settle({ shell }: Policy, decision: Decision): Decision {
  if (decision.unlisted !== true || shell.unlisted === 'deny') return decision;
  const { unlisted: _, ...rest } = decision;
  const { reason } = decision;
  if (shell.unlisted === 'allow')
    return {
      ...rest,
      verdict: 'allow',
      reason: `Allowed in the sandbox though not listed: ${reason}`,
    };
  return {
    ...rest,
    rule: shell.tightened.has('unlisted') ? 'workspace.shell.unlisted' : rest.rule,
    verdict: 'ask',
    reason: `A person must approve what is not listed: ${reason}`,
  };
}

/** Judges one program with its arguments, exactly as it would be started. */
export function decideArgv(
  policy: Policy,
  given: readonly string[],
  where: Where,
  depth = 0,
): Decision {
  const argv = toListed(given);
  const shown = renderArgv(argv);
  const deny = (rule: string, reason: string, effect: Effect = 'workspace'): Decision => ({
    verdict: 'deny',
    rule,
    reason: `${shown}: ${reason}.`,
    effect,
  });
  const refuse: Deny = (...refusal) => settle(policy, { ...deny(...refusal), unlisted: true });
  const [name = ''] = argv;
  if (name === '') return deny('commands.form', 'the command is empty');
  if (depth > maxNested)
    return deny('commands.form', `more than ${maxNested} commands start one another`);
  if (argv.some((word) => word.includes('\0') || !word.isWellFormed())) {
    return deny('commands.form', 'a word contains a NUL or is not well-formed Unicode');
  }
  if (name.includes('/')) {
    const hint = 'a command is named without a folder, and is one of those in tools.yaml';
    return refuse('commands.unlisted', hint);
  }
  const command = policy.commands.get(name);
  if (command === undefined) {
    return refuse(
      'commands.unlisted',
      `"${name.slice(0, 60)}" is not among the commands of tools.yaml`,
    );
  }
  const reading = readArgv(command, argv);
  if (!reading.ok) return refuse(reading.rule.id, reading.problem, reading.rule.effect);
  const rule = reading.levels.at(-1)?.rule ?? command;
  // An option can make a reading command write: `sort -o file`.
  const writes = reading.words.some(({ type }) => writing.has(type.kind));
  const effect = strongest(rule.effect, writes ? 'workspace' : 'pure');
  if (rule.verdict === 'deny') return deny(rule.id, rule.reason ?? 'it is not allowed', effect);

  const asks = rule.verdict === 'ask' || reading.asking !== undefined;
  const why = reading.asking === undefined ? '' : ` with ${reading.asking}`;
  const own: Decision = {
    verdict: asks ? 'ask' : 'allow',
    rule: rule.id,
    reason: asks
      ? `${shown}: ${rule.reason ?? `it needs a person’s approval${why}`}.`
      : `${shown} is on the list of commands.`,
    effect,
  };
  const parts = decideWords(policy, rule, reading.words, argv, where, {
    deny,
    refuse,
    shown,
    nested: (words, at) => decideArgv(policy, words, at, depth + 1),
  });
  return strictestOf(own, parts);
}

type Deny = (rule: string, reason: string, effect?: Effect) => Decision;

interface Wording {
  readonly deny: Deny;
  readonly refuse: Deny;
  /** The command as people see it. */
  readonly shown: string;
  /** Judges a command that this one starts. */
  readonly nested: (argv: readonly string[], where: Where) => Decision;
}

function decideWords(
  policy: Policy,
  rule: CommandRule,
  words: readonly TypedArg[],
  argv: readonly string[],
  where: Where,
  { deny, refuse, shown, nested }: Wording,
): Decision[] {
  const decisions: Decision[] = [];
  let { cwd } = where;
  const judge = (op: PathOp, text: string, effect: Effect = rule.effect): void => {
    const decision = decideWritten(policy, op, text, { ...where, cwd });
    if (decision.verdict === 'allow') return;
    decisions.push({ ...decision, reason: `${shown}: ${decision.reason}`, effect });
  };
  for (const word of words) {
    const { text, type } = word;
    if (text.includes(unknownWord) && where.loose === true) {
      // What the shell would put here is not known: only what is written can be judged.
      if (/(?:^|\/)\.[^/]*$/.test(text.slice(0, text.indexOf(unknownWord)))) {
        decisions.push(deny('shell.hidden', hiddenFile, rule.effect));
      }
      if (type.kind !== 'path' && type.kind !== 'write' && type.kind !== 'delete') continue;
    }
    const problem = argProblem(word);
    if (problem !== undefined) decisions.push(refuse(rule.id, problem, rule.effect));
    switch (type.kind) {
      case 'path':
      case 'source':
        if (text !== '-' && text !== '/dev/null') judge('read', text);
        break;
      case 'pathspec':
        decisions.push(...pathspecProblem(text, rule, refuse));
        judge('read', text);
        break;
      case 'write':
        if (text !== '/dev/null') judge('write', text);
        break;
      case 'delete':
      case 'waste':
        judge('delete', text);
        break;
      case 'move':
        judge('read', text);
        judge('delete', text);
        break;
      case 'target':
        judge('write', text);
        for (const name of namesOfSources(words, { ...where, cwd }))
          judge('write', `${text}/${name}`);
        break;
      case 'folder': {
        judge('list', text);
        const located = locate(text, { ...where, cwd });
        if (located.ok) cwd = located.names;
        break;
      }
      case 'revision':
        decisions.push(...revisionProblem(text, rule, deny));
        judge('read', text);
        for (const path of pathsOfRevision(text).slice(0, maxColons)) judge('read', path);
        break;
      case 'command':
        decisions.push(nested(argv.slice(word.at), { ...where, cwd }));
        return decisions;
      case 'reader': {
        // What it reads is given to it at run time: an operand nobody can know.
        const reading = [...argv.slice(word.at), unknownWord];
        const inner = nested(reading, { ...where, cwd, loose: true });
        decisions.push(inner);
        if (inner.effect !== 'pure')
          decisions.push(refuse(rule.id, 'it may start only what reads'));
        return decisions;
      }
      case 'pattern':
      case 'text':
      case 'number':
      case 'name':
      case 'mode':
      case 'print':
      case 'awk':
      case 'module':
      case 'one-of':
        break;
    }
  }
  return decisions;
}

/** `cp a/b c` writes `c`, or `c/b` where `c` is a folder: which of them cannot be known here. */
const namesOfSources = (words: readonly TypedArg[], where: Where): string[] =>
  words.flatMap(({ type, text }) => {
    if (type.kind !== 'path' && type.kind !== 'move') return [];
    const located = locate(text, where);
    const name = located.ok ? located.names.at(-1) : undefined;
    return name === undefined ? [] : [name];
  });

function revisionProblem(text: string, rule: CommandRule, deny: Deny): Decision[] {
  if (text.startsWith(':('))
    return [deny(rule.id, 'pathspecs with ":(" are not on the list; write the path', rule.effect)];
  return pathsOfRevision(text).length > maxColons
    ? [deny(rule.id, `a revision with more than ${maxColons} colons is not judged`, rule.effect)]
    : [];
}

/** Each colon may be the one a path follows. */
const maxColons = 8;

/** git reads signs behind a colon at the start of a path, such as `:(top)` and `:!`. */
const pathspecProblem = (text: string, rule: CommandRule, deny: Deny): Decision[] =>
  text.startsWith(':')
    ? [deny(rule.id, 'pathspecs that start with ":" are not on the list; write the path')]
    : [];

/** `HEAD:src/a.ts` and `:0:a.ts` name a file after the colon. One more than `maxColons` at most. */
function pathsOfRevision(text: string): string[] {
  const paths: string[] = [];
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) {
    const path = text.slice(at + 1).replace(/^\/+/, '');
    if (path !== '') paths.push(path);
    if (paths.length > maxColons) break;
  }
  return paths;
}

/** Something in a command line that is judged on its own. */
export interface Part {
  readonly kind: 'command' | 'variable' | 'redirection' | 'folder' | 'script';
  /** As a person would write it. */
  readonly text: string;
  readonly decision: Decision;
  /** Relative to the workspace root. */
  readonly cwd: string;
  /** Of a command: its words. */
  readonly argv?: readonly string[];
  /** Of a command: its words and its folder are all there is to it; no variable is set for it and nothing fed to it. */
  readonly bare?: true;
  /** How a command is joined to what stands before it. */
  readonly joined?: '|' | Pipeline['when'];
}

/** The strictest of the parts; the first of several. */
export function decideParts(parts: readonly Part[]): Decision {
  const [first, ...others] = parts.map(({ decision }) => decision);
  if (first !== undefined) return strictestOf(first, others);
  const reason = 'There is no command to run.';
  return { verdict: 'deny', rule: 'commands.form', reason, effect: 'pure' };
}

/** What can be judged at a glance: longer lines are for a file. */
const maxParts = 1_024;
const maxWords = 8_192;

/** Counts what there is to judge. */
export interface Measure {
  parts: number;
  words: number;
}

/** Why a line is too long to be judged, if it is. */
export function sizeProblem({ parts, words }: Measure): Decision | undefined {
  if (parts <= maxParts && words <= maxWords) return undefined;
  const size = words > maxWords ? `${maxWords} words` : `${maxParts} parts`;
  const reason = `The command has more than ${size}. Write a script with write_file and run that.`;
  return { verdict: 'deny', rule: 'commands.form', reason, effect: 'workspace' };
}

/** Judges every part of a line of plain words. */
export function judgeSimple(
  policy: Policy,
  { pipelines }: CommandLine & { readonly kind: 'plain' },
  workspace: string,
): Part[] {
  const measure: Measure = { parts: 0, words: 0 };
  for (const { commands } of pipelines)
    for (const { argv, redirects, variables } of commands) {
      measure.parts += 1 + redirects.length + (variables?.length ?? 0);
      measure.words += argv.length;
    }
  const decision = sizeProblem(measure);
  if (decision !== undefined) {
    const text = renderArgv(pipelines[0]?.commands[0]?.argv ?? []);
    return [{ kind: 'command', text, decision, cwd: pipelines[0]?.cwd ?? '.' }];
  }
  return pipelines.flatMap((pipeline) => judgePipeline(policy, pipeline, workspace));
}

function judgePipeline(
  policy: Policy,
  { cwd, when, commands }: Pipeline,
  workspace: string,
): Part[] {
  const located = locate(cwd, { workspace, cwd: [] });
  const where: Where = { workspace, cwd: located.ok ? located.names : [] };
  const parts = commands.flatMap(({ argv, redirects, variables = [] }, index): Part[] => [
    {
      kind: 'command',
      text: renderArgv(argv),
      argv,
      joined: index === 0 ? when : '|',
      cwd,
      decision: decideArgv(policy, argv, where),
      bare: index === 0 && variables.length === 0 && !redirects.some(isFed) ? true : undefined,
    },
    ...variables.map(({ name, value }) => toVariablePart(policy, name, value, cwd)),
    ...redirects.flatMap((redirect) => judgeRedirect(policy, redirect, where, cwd)),
  ]);
  if (cwd === '.') return parts;
  const decision = decideWritten(policy, 'list', cwd, { workspace, cwd: [] });
  return [...parts, { kind: 'folder', text: `cd ${cwd}`, decision, cwd }];
}

const isFed = ({ kind }: Redirect): boolean => kind === 'input' || kind === 'text';

const toVariablePart = (policy: Policy, name: string, value: string, cwd: string): Part => ({
  kind: 'variable',
  text: renderArgv([`${name}=${value}`]),
  cwd,
  decision: settle(policy, decideVariable(policy, name)),
});

/** A redirection is a read or a write like any other. `cwd` is where it stands, as text. */
export function judgeRedirect(
  policy: Policy,
  redirect: Redirect,
  where: Where,
  cwd: string,
): Part[] {
  if (redirect.kind === 'text' || redirect.kind === 'duplicate') return [];
  if (redirect.path === '/dev/null') return [];
  const op = redirect.kind === 'input' ? 'read' : 'write';
  const decision = decideWritten(policy, op, redirect.path, where);
  const text = `${op === 'read' ? '<' : '>'} ${redirect.path.replaceAll(unknownWord, '…')}`;
  const reason = `${text}: ${decision.reason}`;
  return [{ kind: 'redirection', text, cwd, decision: { ...decision, reason } }];
}

/**
 * argv with the fixed arguments of the policy put in: what to start instead of `argv` once it was allowed.
 * Unlisted commands come back unchanged.
 */
export function prepareArgv(
  policy: Policy,
  given: readonly string[],
  depth = 0,
): readonly string[] {
  const argv = toListed(given);
  if (depth > maxNested) return argv;
  const command = policy.commands.get(argv[0] ?? '');
  const reading = command && readArgv(command, argv);
  if (reading?.ok !== true) return argv;
  const nested =
    reading.words.find(({ type }) => type.kind === 'command' || type.kind === 'reader')?.at ??
    argv.length;
  const end = reading.end ?? nested;
  const last = reading.levels.at(-1)?.rule.last ?? [];
  const prepared: string[] = [];
  for (let index = 0; index <= nested; index++) {
    for (const { rule, at } of reading.levels) if (at === index) prepared.push(...rule.fixed);
    if (index === end) prepared.push(...last);
    if (index < nested) prepared.push(argv[index] ?? '');
  }
  return nested < argv.length
    ? [...prepared, ...prepareArgv(policy, argv.slice(nested), depth + 1)]
    : prepared;
}

/** A program that npm has put into the workspace is started, and judged, as `npx` does it. */
const toListed = (argv: readonly string[]): readonly string[] => {
  const name = /^(?:\.\/)?node_modules\/\.bin\/([\w-]+)$/.exec(argv[0] ?? '')?.[1];
  return name === undefined ? argv : ['npx', name, ...argv.slice(1)];
};
