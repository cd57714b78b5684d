/** `agent approve --always`: answers one request and adds a rule that gives the same answer from now on. */
import { realpathSync } from 'node:fs';
import type { Settings } from '../config/environment.ts';
import { readForceRecord } from '../config/force-record.ts';
import { isLiftable } from '../policies/grants/always.ts';
import type { Grant, ProposedGrant } from '../policies/grants/grant.ts';
import { proposeGrants } from '../policies/grants/propose.ts';
import { builtIn } from '../tools/built-in.ts';
import type { ApprovalRequest } from '../workflows/contract.ts';
import { judgeAgain } from '../client/policy/activate.ts';
import type { RunClient } from '../client/run-client.ts';
import { readDetails } from '../client/events/tell.ts';
import type { CliError } from './errors.ts';
import { usageError } from './errors.ts';
import { readBundle } from '../client/policy/bundle.ts';
import { addRules } from '../client/policy/rules.ts';
import { isShownWhole, renderRules } from './render/render-rules.ts';
import { readUser } from '../client/connect.ts';
import { toSigned } from '../client/signing.ts';
import type { Style } from './render/style.ts';
import { isInvalid } from '../client/errors.ts';
import { printProgress } from './render/output.ts';

/** The request being answered, and how. */
export interface AlwaysOrder {
  readonly settings: Settings;
  readonly client: RunClient;
  readonly run: string;
  /** Absolute, as given when the run started. */
  readonly workspace: string;
  readonly request: Pick<ApprovalRequest, 'id' | 'kind' | 'digest' | 'details'>;
  readonly reason?: string;
  /** Shows the lines that would be written and asks for confirmation. */
  readonly confirm: (lines: readonly string[]) => Promise<boolean>;
  readonly style: Style;
}

export interface AlwaysDone {
  readonly rules: readonly Grant[];
  readonly sha256: string;
  readonly previous: string | null;
  /** False if the request is no longer waiting: the new rule or another person answered first. */
  readonly answered: boolean;
  /** Other runs whose pending questions are judged again. */
  readonly judged: readonly string[];
}

/** Undefined if not confirmed. @throws CliError exit 2 if it cannot be made a rule, 78 if the policy is invalid. */
export async function approveAlways(order: AlwaysOrder): Promise<AlwaysDone | undefined> {
  const { settings, run } = order;
  const proposed = await proposeRules(order);
  if (!(await order.confirm(await renderProposal(order, proposed)))) return undefined;
  const by = readUser();
  const { rules, bundle, before } = await addRules(settings, proposed, by);
  const answered = await answerOnce(order, by);
  const judged = (await judgeAgain(settings, bundle.sha256, by, printProgress)).filter(
    (each) => each !== run,
  );
  return { rules, sha256: bundle.sha256, previous: before?.sha256 ?? null, answered, judged };
}

/** What was done, and how to undo it. Pure. */
export function renderAlways(
  { settings: { always }, request }: Pick<AlwaysOrder, 'settings' | 'request'>,
  { rules, sha256, answered, judged }: AlwaysDone,
): { readonly done: string[]; readonly back: string } {
  const names = rules.map(({ id }) => id);
  const waiting = `Waiting approvals are judged again in: ${judged.join(', ')}.`;
  return {
    done: [
      `Added ${names.join(', ')} to ${always}, in force with sha256 ${sha256.slice(0, 12)}….`,
      answered ? `Approved ${request.id}.` : `${request.id} is allowed by the new rule.`,
      ...(judged.length === 0 ? [] : [waiting]),
    ],
    back: `To undo: ${names.map((id) => `agent policies forget ${id}`).join(' && ')}`,
  };
}

export const toOnce = ({ run, request }: Pick<AlwaysOrder, 'run' | 'request'>): string =>
  `agent approve ${run} ${request.id}`;

async function proposeRules(order: AlwaysOrder): Promise<readonly ProposedGrant[]> {
  const { settings, request } = order;
  const refuse = (why: string): CliError =>
    usageError(
      `${request.id} cannot be made a rule because ${why}. Approve it once: ${toOnce(order)}`,
    );
  if (request.kind !== undefined) throw refuse('it is not an action the policy asks about');
  const details = await readDetails(settings, request.details);
  if (details === undefined)
    throw refuse(`what it is about is not in ${settings.folders.root} of this machine`);
  if (details.workspace !== toReal(order.workspace))
    throw refuse('it was asked in a copy of the workspace, for a step that runs beside others');
  if (!isLiftable(details.rule))
    throw refuse(`${details.rule} asks about it, which no rule of yours answers`);
  const { policy } = await readBundle(settings, details.workspace);
  const { tool, args, workspace } = details;
  const proposal = proposeGrants(policy, builtIn.toAction({ tool, args, workspace }));
  if (!proposal.ok) throw refuse(proposal.why);
  if (!proposal.grants.some(({ lifts }) => lifts.includes(details.rule)))
    throw refuse(`${details.rule} asks about it, of which the call itself says nothing`);
  if (!proposal.grants.every(isShownWhole))
    throw refuse('it has invisible characters in it, so nobody can see what they would allow');
  return proposal.grants;
}

/** The run's folder is as typed; judging needs it with links resolved. */
function toReal(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

async function renderProposal(
  { settings, style }: AlwaysOrder,
  proposed: readonly ProposedGrant[],
): Promise<string[]> {
  const pending = await isPending(settings);
  return [
    `From now on, without asking (rules for ${settings.always}):`,
    ...renderRules(proposed, style),
    ...(pending ? [style.yellow('The policy folder was changed; that comes into force too.')] : []),
  ];
}

/** Whether the operator's policy folder differs from what is in force. */
async function isPending(settings: Settings): Promise<boolean> {
  const record = readForceRecord(settings.folders.root);
  return record !== undefined && record.sha256 !== (await readBundle(settings, null)).sha256;
}

/** False if the request is no longer waiting: the new rule or another person answered first. */
async function answerOnce(
  { client, run, request, reason }: AlwaysOrder,
  by: string,
): Promise<boolean> {
  const answer = await toSigned(run, {
    request: request.id,
    digest: request.digest,
    answer: 'approve',
    by,
    reason,
  });
  try {
    await client.answer(run, answer);
    return true;
  } catch (error) {
    if (isInvalid(error)) return false;
    throw error;
  }
}
