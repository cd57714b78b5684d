import type { Action, Decision, Verdict } from './action.ts';
import { prepareArgv } from './commands/prepare-argv.ts';
import type { Part } from './commands/parts.ts';
import { decide, judgeLine } from './decide.ts';
import type { Policy } from './policy.ts';
import { CommandError, toCommandLine } from './commands/shell.ts';

/** A part of a command line, numbered from 1, and the verdict on it alone. */
export interface ExplainedPart {
  readonly part: number;
  readonly kind: Part['kind'];
  readonly text: string;
  readonly cwd: string;
  readonly joined?: Part['joined'];
  readonly argv?: readonly string[];
  /** What runs instead of `argv`: the same with the policy's fixed arguments. */
  readonly runs?: readonly string[];
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
}

export interface Explanation extends Omit<Decision, 'unlisted' | 'asks'> {
  /** `plain`: parsed words, run without a shell. `script`: the whole text, run by bash. */
  readonly form: 'plain' | 'script';
  /** Why it needs a shell. */
  readonly why?: string;
  readonly parts: readonly ExplainedPart[];
  /** Number of the deciding part; absent if a rule on the whole call decided. */
  readonly decidedBy?: number;
}

/** Explains the policy's verdict on a command. */
export function explainCommand(policy: Policy, action: Action): Explanation {
  const { unlisted: _, asks: __, ...decision } = decide(policy, action);
  const { access, workspace } = action;
  if (access.section !== 'commands') return { ...decision, form: 'plain', parts: [] };
  try {
    const line = toCommandLine(access, workspace);
    const parts = judgeLine(policy, line, workspace).map((part, index) =>
      toExplained(policy, part, index + 1, line.kind === 'plain'),
    );
    const by = parts.find(
      ({ verdict, rule, reason }) =>
        verdict === decision.verdict && rule === decision.rule && reason === decision.reason,
    );
    return {
      ...decision,
      ...(line.kind === 'plain' ? { form: 'plain' } : { form: 'script', why: line.why }),
      parts,
      decidedBy: by?.part,
    };
  } catch (error) {
    // Outside the workspace, or nested too deep to walk: the decision says what is wrong.
    if (error instanceof CommandError || error instanceof RangeError)
      return { ...decision, form: 'plain', parts: [] };
    throw error;
  }
}

function toExplained(
  policy: Policy,
  { kind, text, cwd, joined, argv, decision }: Part,
  part: number,
  plain: boolean,
): ExplainedPart {
  const { verdict, rule, reason } = decision;
  const runs = plain && argv !== undefined && verdict !== 'deny' ? prepareArgv(policy, argv) : argv;
  const differs = runs?.join('\0') !== argv?.join('\0');
  return {
    part,
    kind,
    text,
    cwd,
    joined,
    argv: plain && argv !== undefined ? argv : undefined,
    runs: differs && runs !== undefined ? runs : undefined,
    verdict,
    rule,
    reason,
  };
}
