import type { Action, Decision } from '../../policies/action.ts';
import { countPlaceholders } from '../../policies/secrets/redaction.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import type { Approval } from '../contract/approval.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

export interface Judged {
  readonly action: Action;
  readonly digest: string;
  readonly sandbox: Sandbox;
  readonly approval?: Approval;
}

/** The policy's decision on this machine, given a person's answer. */
export const judge = (
  decision: Decision,
  { action, digest, sandbox, approval }: Judged,
): Decision => {
  const here = judgePlaceholders(judgeCommand(decision, action, sandbox), action);
  return approval === undefined ? here : applyApproval(here, approval, digest);
};

/**
 * Without a sandbox there are no commands, whatever the policy says; if the operator disabled it, nothing confines a
 * script, so it counts as reaching beyond the workspace.
 */
function judgeCommand(decision: Decision, action: Action, sandbox: Sandbox): Decision {
  const { access, workspace } = action;
  if (access.section !== 'commands' || decision.verdict === 'deny') return decision;
  switch (sandbox.kind) {
    case 'bubblewrap':
      return decision;
    case 'none': {
      const script = toCommandLine(access, workspace).kind !== 'plain';
      return script ? { ...decision, effect: 'external' } : decision;
    }
    case 'unavailable':
      return {
        ...decision,
        verdict: 'deny',
        rule: 'sandbox.unavailable',
        reason: `Commands cannot be run here: ${sandbox.reason} Use the file tools. (${sandbox.fix})`,
      };
  }
}

/** A placeholder must not be passed to a program, which would take it for the secret. */
function judgePlaceholders(decision: Decision, { access, args }: Action): Decision {
  if (access.section !== 'commands' || decision.verdict === 'deny') return decision;
  const [placeholder] = countPlaceholders(JSON.stringify(args)).keys();
  if (placeholder === undefined) return decision;
  return {
    ...decision,
    verdict: 'deny',
    rule: 'secrets.placeholder',
    reason: `Commands never get secrets: ${placeholder} stands for one. Let the program read it from a file or its environment, or ask the user to run this.`,
  };
}

/** An approval covers exactly one action; it lifts an `ask`, never a `deny`. */
function applyApproval(
  decision: Decision,
  { digest: approved, answer, by, reason }: Approval,
  digest: string,
): Decision {
  if (decision.verdict !== 'ask' || approved !== digest) return decision;
  const why = reason === undefined || reason === '' ? '' : `: ${reason}`;
  return answer === 'approve'
    ? { ...decision, verdict: 'allow', reason: `Approved by ${by}${why}` }
    : { ...decision, verdict: 'deny', reason: `Denied by ${by}${why}` };
}
