import { forEachChild } from 'unbash';
import type { Command, Redirection, SyntaxNode, Word, WordPart } from 'unbash';
import type { Decision } from '../action.ts';
import type { CommandLine } from './command.ts';
import { decideArgv, settle } from './decide-argv.ts';
import { judgeRedirect, sizeProblem } from './parts.ts';
import { renderArgv, unknownWord } from './render-argv.ts';
import type { Measure, Part } from './parts.ts';
import { decideWritten, locate } from '../paths/paths.ts';
import type { Where } from '../paths/paths.ts';
import type { Policy } from '../policy.ts';
import { parseShell } from './syntax.ts';
import { decideVariable } from '../variables.ts';

interface Walk {
  readonly policy: Policy;
  readonly workspace: string;
  cwd: readonly string[];
  readonly found: Part[];
  readonly measure: Measure;
}

const deny = (rule: string, reason: string): Decision => ({
  verdict: 'deny',
  rule,
  reason,
  effect: 'workspace',
});

/**
 * Judges a shell script as one action. The result is never milder than the policy's `shell` verdict, and every command
 * visible in it, at any depth, is judged as if it stood alone.
 */
export function judgeScript(
  policy: Policy,
  line: CommandLine & { readonly kind: 'shell' },
  workspace: string,
): Part[] {
  const toWhole = (decision: Decision): Part => ({
    kind: 'script',
    text: line.text,
    cwd: line.cwd,
    decision,
  });
  const parsed = parseShell(line.text);
  if (!parsed.ok) {
    const reason = `The command ${parsed.problem}. Correct its quoting.`;
    return [toWhole(deny('shell.syntax', reason))];
  }
  const start = locate(line.cwd, { workspace, cwd: [] });
  if (!start.ok) return [toWhole(deny(start.rule, start.reason))];
  const measure: Measure = { parts: 0, words: 0 };
  const walk: Walk = { policy, workspace, cwd: start.names, found: [], measure };
  visit(walk, parsed.script);
  const tooLong = sizeProblem(measure);
  if (tooLong !== undefined) return [toWhole(tooLong)];
  if (walk.found.length === 0)
    return [toWhole(deny('commands.form', 'There is no command to run.'))];
  const { verdict, tightened } = policy.shell;
  const rule = verdict === 'ask' && tightened.has('verdict') ? 'workspace.shell' : 'shell';
  const reason = `The command needs a shell because ${line.why}. ${advice[verdict]}`;
  return [toWhole({ verdict, rule, reason, effect: 'workspace' }), ...walk.found];
}

function visit(walk: Walk, node: SyntaxNode): void {
  walk.measure.parts = walk.found.length;
  if (sizeProblem(walk.measure) !== undefined) return;
  if ('errors' in node && node.errors !== undefined && node.errors.length > 0) {
    find(walk, 'script', '', deny('shell.syntax', 'A part of the command does not parse.'));
  }
  if (node.type === 'Command') visitCommand(walk, node);
  if (node.type === 'Assignment') {
    const decision = decideVariable(walk.policy, node.name);
    // The script as a whole already asks; its own variables need no second question.
    find(
      walk,
      'variable',
      `${node.name}=`,
      decision.verdict === 'deny' ? settle(walk.policy, decision) : neutral,
    );
  }
  if (node.type === 'Redirected') visitRedirects(walk, node.redirects);
  const { cwd } = walk;
  forEachChild(node, (child) => visit(walk, child));
  const isSeparate =
    node.type === 'Subshell' ||
    node.type === 'CommandExpansion' ||
    node.type === 'ProcessSubstitution';
  if (isSeparate) walk.cwd = cwd;
}

const placeOf = ({ cwd }: Walk): string => (cwd.length === 0 ? '.' : cwd.join('/'));

function find(
  walk: Walk,
  kind: Part['kind'],
  text: string,
  decision: Decision,
  argv?: readonly string[],
): void {
  walk.found.push({ kind, text, decision, cwd: placeOf(walk), argv });
}

function visitCommand(walk: Walk, { name, args, redirects, prefix }: Command): void {
  const { policy } = walk;
  walk.measure.words += 1 + args.length;
  if (sizeProblem(walk.measure) !== undefined) return;
  visitRedirects(walk, redirects);
  if (name === undefined) {
    if (redirects.length > 0 || prefix.length > 0) find(walk, 'script', '', neutral);
    return;
  }
  const argv = [name, ...args].map((word) =>
    word.type === 'Word' ? toLooseWord(word) : word.text,
  );
  const [command = ''] = argv;
  if (command.includes(unknownWord)) {
    const reason = `${name.text.slice(0, 60)}: the name of a command must be a plain word.`;
    const decision = { ...deny('commands.unlisted', reason), unlisted: true } as const;
    find(walk, 'command', renderArgv(argv), settle(policy, decision));
  } else if (command === 'cd') changeFolder(walk, argv.slice(1));
  else {
    const known = policy.shell.builtins.has(command);
    const decision = known ? neutral : decideArgv(policy, argv, whereOf(walk));
    find(walk, 'command', renderArgv(argv), decision, argv);
  }
}

const advice: Readonly<Record<Decision['verdict'], string>> = {
  allow: 'It runs as a whole, in the sandbox.',
  ask: 'A person must approve it; plain words joined by && || ; | would not need that.',
  deny: 'Write it as plain words joined by && || ; |.',
};

const neutral: Decision = {
  verdict: 'allow',
  rule: 'shell',
  reason: 'A part of the shell itself.',
  effect: 'workspace',
};

const whereOf = ({ workspace, cwd }: Walk): Where => ({ workspace, cwd, loose: true });

function changeFolder(walk: Walk, words: readonly string[]): void {
  const folder = words.find((word) => !/^-[LPe@]*-?$/.test(word) || word === '-') ?? '~';
  const decision = decideWritten(walk.policy, 'list', folder, whereOf(walk));
  find(walk, 'folder', `cd ${folder.replaceAll(unknownWord, '…')}`, decision);
  const located = locate(folder, whereOf(walk));
  if (located.ok) walk.cwd = located.names;
}

function visitRedirects(walk: Walk, redirects: readonly Redirection[]): void {
  for (const redirect of redirects) {
    if (redirect.type !== 'Redirect' || redirect.target === undefined) continue;
    const path = toLooseWord(redirect.target);
    const duplicates = redirect.operator === '<&' || redirect.operator === '>&';
    if (duplicates && /^(?:\d+-?|-)$/.test(path)) continue;
    const reads = redirect.operator === '<' || redirect.operator === '<&';
    walk.found.push(
      ...judgeRedirect(
        walk.policy,
        reads ? { kind: 'input', path } : { kind: 'output', fd: 1, path, append: false },
        whereOf(walk),
        placeOf(walk),
      ),
    );
  }
}

/** The word with a placeholder for each part that only the shell knows. */
function toLooseWord(word: Word): string {
  return word.parts === undefined ? word.value : word.parts.map(toLoosePart).join('');
}

function toLoosePart(part: WordPart): string {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return part.value;
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.map(toLoosePart).join('');
    case 'Glob':
    case 'ExtendedGlob':
    case 'BraceExpansion':
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'CommandExpansion':
    case 'ArithmeticExpansion':
    case 'ProcessSubstitution':
      return unknownWord;
  }
}
