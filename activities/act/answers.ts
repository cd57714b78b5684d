/** People's answers to an action: verified before they count, and recorded either way. */
import type { Approvers } from '../../audit/record/keys/approvers.ts';
import { findSignatureProblem } from '../../audit/record/keys/answer-signature.ts';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { hashOf } from '../../audit/record/blobs.ts';
import { toCanonical } from '../../audit/record/canonical.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Action, ToolCall } from '../../policies/action.ts';
import { formRedactor, redactValue } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Registry } from '../../tools/registry.ts';
import type { Approval, Settlement } from '../contract/approval.ts';
import { toShown } from './versions.ts';

/** Where an answer counts. */
export interface Answered {
  readonly run: string;
  readonly step: string;
  readonly action?: number;
  /** From 1; greater when Temporal retries the action. */
  readonly attempt?: number;
}

export interface AnswerDependencies {
  readonly audit: AuditLog;
  readonly approvers: Approvers;
}

interface VerifyDependencies extends AnswerDependencies {
  readonly blobs: BlobStore;
  readonly tools: Registry;
  readonly redactor?: Redactor;
}

/** The valid answers to an action, and the action they result in. */
export interface VerifiedAnswers {
  readonly action: Action;
  readonly digest: string;
  readonly approval?: Approval;
  readonly settled?: Settlement;
  /** The answer to a change that is held back. */
  readonly change?: Approval;
  /** Why an answer is invalid, as a sentence. */
  readonly refused?: string;
  /** For the model, placed before the tool's result. */
  readonly note?: string;
}

/** A later attempt: do not log again what is already logged. */
const again = 2;

const alreadyRun =
  'The command has already run, so its arguments cannot be edited. Approve or deny its changes.';

interface Said extends Answered {
  readonly seq?: number;
  readonly approval?: Approval;
  readonly settled?: Settlement;
  readonly change?: Approval;
  /** Version of the file that was shown with the action. */
  readonly against?: string;
}

/** Verifies answers, substitutes edited arguments, and records both. */
export async function verifyAnswers(
  dependencies: VerifyDependencies,
  { seq, approval, settled, against, change, ...said }: Said,
  asked: Action,
): Promise<VerifiedAnswers> {
  const answered: Answered = { ...said, action: seq };
  let verified: VerifiedAnswers = { action: asked, digest: digestOf(asked) };
  if (approval !== undefined) {
    // If its change has been answered, the call itself was answered before.
    const first = change === undefined ? answered : { ...answered, attempt: again };
    const refused = await verifyApproval(dependencies, first, approval);
    if (refused !== undefined) return { ...verified, refused };
    // It covered the action plus the version shown; from here on it covers the action.
    const isShown = approval.digest === toShown(verified.digest, against);
    const about = isShown ? { ...approval, digest: verified.digest } : approval;
    verified = await takeApproval(dependencies, verified, about);
  }
  if (change !== undefined) {
    const refused = await verifyApproval(dependencies, answered, change);
    if (refused !== undefined) return { ...verified, refused };
    // Its arguments are final: further wishes are another action.
    if (change.edited !== undefined) return { ...verified, refused: alreadyRun };
    return { ...verified, change };
  }
  if (settled === undefined) return verified;
  const refused = await verifySettlement(dependencies, answered, settled, verified.digest);
  return refused === undefined ? { ...verified, settled } : { ...verified, refused };
}

/** Covers what was requested, not how a policy reads it. */
const digestOf = ({ tool, args, workspace }: ToolCall): string =>
  hashOf(toCanonical({ tool, args, workspace }));

const maxNoteLength = 2_000;

/** An approval covers exactly what was shown; writing other arguments approves those. */
async function takeApproval(
  { blobs, tools, redactor = formRedactor }: VerifyDependencies,
  verified: VerifiedAnswers,
  approval: Approval,
): Promise<VerifiedAnswers> {
  const { edited, answer, digest } = approval;
  if (edited === undefined || answer !== 'approve' || digest !== verified.digest)
    return { ...verified, approval };
  const args = redactValue(redactor, await blobs.getJson<Action['args']>(edited));
  const action = tools.toAction({ ...verified.action, args });
  const changed = digestOf(action);
  const shown = JSON.stringify(args).slice(0, maxNoteLength);
  return {
    action,
    digest: changed,
    approval: { ...approval, digest: changed },
    note: `${approval.by} changed the arguments before approving. What follows is the result of: ${shown}\n\n`,
  };
}

/** Why an approval is invalid, as a sentence; undefined if it is valid. */
export function findApprovalProblem(
  approvers: Approvers,
  run: string,
  { request, digest, answer, by, edited, standing, order = '', signature }: Approval,
): string | undefined {
  const words = { request, digest, edited };
  const signed = { run, answer, by, ...(standing ? { order } : words) };
  return toSentence(`The answer to ${request} by ${by}`, approvers, signed, signature);
}

const toSentence = (
  what: string,
  approvers: Approvers,
  ...signed: readonly [
    signable: Parameters<typeof findSignatureProblem>[1],
    signature: Parameters<typeof findSignatureProblem>[2],
  ]
): string | undefined => {
  const problem = findSignatureProblem(approvers(), ...signed);
  return problem === undefined
    ? undefined
    : `${what} was rejected: ${problem}. Answer with agent approve or agent deny, as a user whose key is listed in AGENT_APPROVERS.`;
};

/** Records an approval in the audit log. Returns why it is invalid, if it is. */
export async function verifyApproval(
  { audit, approvers }: AnswerDependencies,
  answered: Answered,
  approval: Approval,
): Promise<string | undefined> {
  const refused = findApprovalProblem(approvers, answered.run, approval);
  const { request, digest, answer, by, reason, edited, signature } = approval;
  if (await isNew(audit, 'approval', answered, request))
    await audit.append({
      kind: 'approval',
      time: new Date().toISOString(),
      run: answered.run,
      step: answered.step,
      digest,
      request,
      answer,
      by,
      reason,
      edited,
      key: signature?.key,
      refused,
    });
  return refused;
}

/** As `verifyApproval`, for a person's answer about an unknown outcome; `digest` is the action's. */
export async function verifySettlement(
  { audit, approvers }: AnswerDependencies,
  answered: Answered,
  settled: Settlement,
  digest: string,
): Promise<string | undefined> {
  const { run, step, action } = answered;
  const { request, what, by, reason, signature } = settled;
  const refused = toSentence(
    `The answer to ${request} by ${by}`,
    approvers,
    { run, request, digest, answer: what === 'happened' ? 'approve' : 'deny', by },
    signature,
  );
  if (await isNew(audit, 'settlement', answered, request))
    await audit.append({
      kind: 'settlement',
      time: new Date().toISOString(),
      run,
      step,
      digest,
      request,
      what,
      by,
      action,
      reason,
      key: signature?.key,
      refused,
    });
  return refused;
}

const isNew = async (
  audit: AuditLog,
  kind: 'approval' | 'settlement',
  { run, attempt = 1 }: Answered,
  request: string,
): Promise<boolean> => attempt === 1 || !(await audit.has({ kind, run, request }));
