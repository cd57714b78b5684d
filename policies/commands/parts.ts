import type { Decision } from '../action.ts';
import { decideWritten, locate } from '../paths/paths.ts';
import type { Where } from '../paths/paths.ts';
import type { Policy } from '../policy.ts';
import { strictestOf } from '../strictest.ts';
import { decideVariable } from '../variables.ts';
import type { CommandLine, Pipeline, Redirect } from './command.ts';
import { decideArgv, settle } from './decide-argv.ts';
import { renderArgv, unknownWord } from './render-argv.ts';

/** A piece of a command line that is judged on its own. */
export interface Part {
  readonly kind: 'command' | 'variable' | 'redirection' | 'folder' | 'script';
  /** As a person would write it. */
  readonly text: string;
  readonly decision: Decision;
  /** Relative to the workspace root. */
  readonly cwd: string;
  /** Set for a command. */
  readonly argv?: readonly string[];
  /** Set for a command that is only words in a folder: no variables, no input. */
  readonly bare?: true;
  /** How a command is joined to the one before it. */
  readonly joined?: '|' | Pipeline['when'];
}

/** The strictest part; the first of several. */
export function decideParts(parts: readonly Part[]): Decision {
  const [first, ...others] = parts.map(({ decision }) => decision);
  if (first !== undefined) return strictestOf(first, others);
  const reason = 'There is no command to run.';
  return { verdict: 'deny', rule: 'commands.form', reason, effect: 'pure' };
}

/** Longer lines belong in a file. */
const maxParts = 1_024;
const maxWords = 8_192;

/** Counts what there is to judge. */
export interface Measure {
  parts: number;
  words: number;
}

/** Why a line is too long to judge, if it is. */
export function sizeProblem({ parts, words }: Measure): Decision | undefined {
  if (parts <= maxParts && words <= maxWords) return undefined;
  const size = words > maxWords ? `${maxWords} words` : `${maxParts} parts`;
  const reason = `The command has more than ${size}. Write a script with write_file and run that.`;
  return { verdict: 'deny', rule: 'commands.form', reason, effect: 'workspace' };
}

/** Judges each part of a plain command line. */
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

/** Judges a redirection as the read or write it is. `cwd` is its folder, as text. */
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
