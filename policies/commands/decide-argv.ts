import type { Decision, Effect } from '../action.ts';
import { decideWritten, locate } from '../paths/paths.ts';
import type { PathOp, Where } from '../paths/paths.ts';
import type { CommandRule, Policy } from '../policy.ts';
import { strictestOf, strongest } from '../strictest.ts';
import { argProblem, readArgv } from './argv.ts';
import type { TypedArg } from './argv.ts';
import { maxNested, toListed } from './prepare-argv.ts';
import { renderArgv, unknownWord } from './render-argv.ts';

const hiddenFile = 'a name that starts with a dot must be written in full';

const writing: ReadonlySet<string> = new Set(['write', 'delete', 'move', 'target', 'waste']);

/** Replaces "not in any list" with the policy's `unlisted` verdict; what a rule forbids stays denied. */
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
    reason: `Anything not listed needs approval: ${reason}`,
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
  // An option can make a reader write: `sort -o file`.
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
      // What the shell will insert here is unknown: judge only what is written.
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
        // Its input becomes an operand at run time, so that operand is unknown.
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

/** `cp a/b c` writes `c`, or `c/b` if `c` is a folder; without looking at files, assume both. */
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

/** A path may follow each colon. */
const maxColons = 8;

/** git treats signs after a leading colon as magic: `:(top)`, `:!`. */
const pathspecProblem = (text: string, rule: CommandRule, deny: Deny): Decision[] =>
  text.startsWith(':')
    ? [deny(rule.id, 'pathspecs that start with ":" are not on the list; write the path')]
    : [];

/** `HEAD:src/a.ts` and `:0:a.ts` name a file after the colon. Returns at most `maxColons` + 1 paths. */
function pathsOfRevision(text: string): string[] {
  const paths: string[] = [];
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) {
    const path = text.slice(at + 1).replace(/^\/+/, '');
    if (path !== '') paths.push(path);
    if (paths.length > maxColons) break;
  }
  return paths;
}
