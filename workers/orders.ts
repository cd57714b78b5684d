/**
 * Enforces that only what the operator announced is carried out. Temporal does not authenticate callers: anyone who
 * reaches it can start runs, copy inputs, and schedule activities on our queues from their own workflow code. So before
 * each activity, its execution is checked against the operator's signed order, and the activity against the execution
 * (docs/decisions/0023).
 */
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { findTextProblem } from '../audit/record/keys/answer-signature.ts';
import { isApprover } from '../audit/record/keys/approvers.ts';
import type { Approvers } from '../audit/record/keys/approvers.ts';
import type { AuditLog } from '../audit/record/log.ts';
import type { OrderLedger } from '../audit/record/keys/order-ledger.ts';
import {
  noncePattern,
  toOrderText,
  toSignedPromotion,
  toSignedRun,
} from '../audit/record/keys/order-signature.ts';
import type { SignedOrder } from '../audit/record/keys/order-signature.ts';
import { runIdPattern } from '../config/run-id.ts';
import type { PromotionInput, RunInput } from '../workflows/contract.ts';
import { promotionType, toPromotionId } from '../workflows/contract.ts';
import { toWorkflowId, workflowType } from '../workflows/names.ts';
import { createFewTimes } from '../audit/record/few-times.ts';
import { readEvent } from './execution-events.ts';
import type { StartAttributes, StartService } from './execution-events.ts';
import { findEndBefore } from './order-chain.ts';
import { findMismatch } from './order-match.ts';
import type { Announced, Places } from './order-match.ts';

export interface OrderDependencies {
  readonly service: StartService;
  readonly namespace: string;
  /** This worker's queues: what arrives another way is not ours. */
  readonly queues: { readonly run: string; readonly model: string; readonly workspace: string };
  readonly codecs: readonly PayloadCodec[];
  readonly approvers: Approvers;
  /** File with the approvers' keys, for messages. */
  readonly approversFile: string;
  readonly ledger: OrderLedger;
  readonly audit: () => Promise<Pick<AuditLog, 'append'>>;
  readonly places: Places;
}

/** A workflow execution, as Temporal names it. */
interface Execution {
  readonly type: string;
  readonly workflowId: string;
  readonly runId: string;
}

type Verdict = { readonly announced: Announced } | { readonly why: string };

/** Never retried: the answer will not change. The workflow ends at once (workflows/run.ts). */
const notAnnounced = (why: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(`Not carried out: ${why}.`, 'NotAnnounced');

/**
 * `ContinueAsNewInitiator`: RETRY and CRON_SCHEDULE. For the workflow's own command it is 1, or 0 from servers that
 * omit it.
 */
const continuedByServer = new Set([2, 3]);
const maxRemembered = 500;

/** The last activity of each order: nothing more may be carried out in another execution afterwards. */
const last: Readonly<Record<SignedOrder['kind'], string>> = {
  run: 'closeRun',
  promotion: 'promote',
};

/** Lets an activity through, or throws `NotAnnounced`, recording that once per execution. */
export function announcedOnly(dependencies: OrderDependencies): ActivityInterceptorsFactory {
  const judged = new Map<string, Promise<Verdict>>();
  const told = new Set<string>();
  const isFew = createFewTimes(100, 3_600_000);

  const judge = (execution: Execution): Promise<Verdict> => {
    const known = judged.get(execution.runId);
    if (known !== undefined) return known;
    const judging = judgeExecution(dependencies, execution);
    // If the server could not be asked, ask again next time.
    judging.catch(() => judged.delete(execution.runId));
    judged.set(execution.runId, judging);
    forgetOldest(judged);
    return judging;
  };

  const refuse = async (
    { runId, workflowId }: Pick<Execution, 'runId' | 'workflowId'>,
    activity: string,
    why: string,
  ): Promise<never> => {
    const isNew = !told.has(runId);
    told.add(runId);
    forgetOldest(told);
    if (isNew && isFew()) {
      const audit = await dependencies.audit();
      await audit
        .append({
          kind: 'refusal',
          time: new Date().toISOString(),
          run: workflowId.replace(/^run-/, '').slice(0, 100),
          execution: runId,
          activity,
          why,
        })
        // Recorded or not, nothing is carried out.
        .catch(() => undefined);
    }
    throw notAnnounced(why);
  };

  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const { workflowExecution, workflowType: type = '', activityType, taskQueue } = info;
        if (workflowExecution === undefined)
          return await refuse(
            { workflowId: '', runId: info.activityRunId ?? '' },
            activityType,
            'no run asks for it',
          );
        const execution = { ...workflowExecution, type };
        const verdict = await judge(execution);
        if ('why' in verdict) return await refuse(execution, activityType, verdict.why);
        const { announced } = verdict;
        const { places, ledger, queues } = dependencies;
        const why =
          findElsewhere(announced.signed, taskQueue, queues) ??
          findMismatch(announced, activityType, input.args[0], places);
        if (why !== undefined) return await refuse(execution, activityType, why);
        const { kind, nonce } = announced.signed;
        // It ends here even if this fails: nothing follows it.
        if (activityType === last[kind]) ledger.end(nonce, execution.runId);
        return await next(input);
      },
    },
  });
}

function forgetOldest(remembered: Map<string, unknown> | Set<string>): void {
  if (remembered.size <= maxRemembered) return;
  for (const key of remembered.keys()) {
    remembered.delete(key);
    return;
  }
}

/** @throws the server's error if it cannot be asked. */
async function judgeExecution(
  dependencies: OrderDependencies,
  execution: Execution,
): Promise<Verdict> {
  const { type, workflowId, runId } = execution;
  if (type !== workflowType && type !== promotionType)
    return { why: `workflows of the type ${type.slice(0, 40)} are none of ours` };
  const event = await readEvent(dependencies, { workflowId, runId });
  const start = event?.workflowExecutionStartedEventAttributes;
  if (!start) return { why: 'its history has no beginning' };
  const args = await decode(dependencies.codecs, start.input?.payloads ?? []);
  try {
    const [input] = args as [Partial<RunInput & PromotionInput> | undefined];
    const key: unknown = input?.order?.signature?.key;
    // The verdict is permanent, so do not base it on a file that is just being written.
    if (typeof key === 'string') await isApprover(dependencies.approvers, key);
    const verdict = judgeStart(dependencies, { ...execution, start, args });
    if ('why' in verdict) return verdict;
    const { nonce } = verdict.announced.signed;
    const why = await findEndBefore(dependencies, { workflowId, runId, start }, nonce);
    if (why !== undefined) return { why };
    dependencies.ledger.see(nonce, runId);
    return verdict;
  } catch (error) {
    // Someone sent something without a canonical form.
    if (error instanceof RangeError || error instanceof TypeError)
      return { why: `its input cannot be read (${error.message})` };
    throw error;
  }
}

async function decode(
  codecs: readonly PayloadCodec[],
  encoded: readonly Payload[],
): Promise<unknown[]> {
  let payloads = [...encoded];
  for (const codec of codecs.toReversed()) payloads = await codec.decode(payloads);
  return payloads.map((payload) => defaultPayloadConverter.fromPayload(payload));
}

interface Started extends Execution {
  readonly start: StartAttributes;
  readonly args: readonly unknown[];
}

function judgeStart(dependencies: OrderDependencies, started: Started): Verdict {
  const { start, args, workflowId, type, runId } = started;
  // Workflow code on other workers may ask for anything.
  if (start.taskQueue?.name !== dependencies.queues.run)
    return { why: 'its workflow is not run by our workers' };
  if (start.cronSchedule) return { why: 'it would be run again and again' };
  const continued = Boolean(start.continuedExecutionRunId);
  if (continued && continuedByServer.has(start.initiator ?? 0))
    return { why: 'someone else started it again' };
  const [input, carried] = args as [Partial<RunInput & PromotionInput> | undefined, unknown];
  const nonce: unknown = input?.order?.nonce;
  if (input === undefined || typeof nonce !== 'string' || !noncePattern.test(nonce))
    return { why: renderUnsigned(workflowId) };
  const given = toSigned(type, input, nonce, continued ? undefined : carried);
  const used = dependencies.ledger.read(nonce);
  if (continued && used === undefined)
    return { why: 'it continues something that never began here' };
  if (continued && used !== undefined && !isGoingOn(used.signed, given))
    return { why: 'it continues with something other than it began with' };
  const { signed, signature } =
    continued && used !== undefined ? used : { signed: given, signature: input.order?.signature };
  const problem =
    findTextProblem(dependencies.approvers(), toOrderText(signed), signature) ??
    findMisplaced(dependencies, signed, workflowId) ??
    findOtherStage(dependencies.ledger, signed);
  if (problem !== undefined || signature === undefined)
    return { why: renderProblem(dependencies, problem ?? 'it is not signed', signature?.key) };
  const chain = start.firstExecutionRunId || runId;
  const since = new Date().toISOString();
  const owner = used ?? dependencies.ledger.claim({ signed, signature, chain, since });
  if (owner.chain !== chain) return { why: 'its order has already been used' };
  const ended = dependencies.ledger.readEnd(nonce);
  if (ended !== undefined && ended !== runId)
    return { why: 'the run has ended; continue from one of its steps: agent fork' };
  return { announced: { signed, goal: String((input.request ?? input).goal) } };
}

const toSigned = (
  type: string,
  input: Partial<RunInput & PromotionInput>,
  nonce: string,
  carried: unknown,
): SignedOrder =>
  type === promotionType
    ? toSignedPromotion(input as PromotionInput, nonce)
    : toSignedRun(input as RunInput, nonce, carried);

/** The same except for the run's progress, and secrets in its goal that became known later. */
function isGoingOn(began: SignedOrder, now: SignedOrder): boolean {
  if (began.kind !== 'run' || now.kind !== 'run') return false;
  const { carried: _, ...rest } = began;
  const { goal } = began.input;
  return toOrderText(rest) === toOrderText({ ...now, input: { ...now.input, goal } });
}

/** An approver's order may still be meant for somewhere else. */
function findMisplaced(
  { queues }: Pick<OrderDependencies, 'queues'>,
  { kind, input }: SignedOrder,
  workflowId: string,
): string | undefined {
  const run = kind === 'run' ? input.run : input.request.run;
  if (!runIdPattern.test(run)) return 'its run has a name that none can have';
  if (workflowId !== toWorkflowId(kind === 'run' ? run : toPromotionId(run)))
    return 'its order is for another run';
  return input.queues.model === queues.model ? undefined : renderOtherWorkers(input);
}

/**
 * A folder is on one host. The worker that runs workflows and asks models may be on another, and serves the folders of
 * all hosts.
 */
function findElsewhere(
  { input }: SignedOrder,
  taskQueue: string,
  { workspace }: OrderDependencies['queues'],
): string | undefined {
  return taskQueue !== workspace || input.queues.workspace === workspace
    ? undefined
    : renderOtherWorkers(input);
}

const renderOtherWorkers = ({ queues: { model, workspace } }: SignedOrder['input']): string =>
  `its order is for other workers (queues ${model}, ${workspace})`;

/** A run's change may only go to the folder it was announced with; unknown for runs older than signed orders. */
function findOtherStage(ledger: OrderLedger, order: SignedOrder): string | undefined {
  if (order.kind !== 'promotion') return undefined;
  const { run, target, stage } = order.input.request;
  const announced = ledger.find(run)?.signed;
  if (announced?.kind !== 'run') return undefined;
  const { stagedFrom, workspace } = announced.input;
  return target === stagedFrom && stage === workspace
    ? undefined
    : 'the run was announced for another folder';
}

const renderUnsigned = (workflowId: string): string => {
  const run = workflowId.replace(/^run-/, '').slice(0, 50);
  return `the operator has not signed it. To continue a run from an older version: agent fork ${run} --step 1`;
};

function renderProblem(
  { approvers, approversFile }: Pick<OrderDependencies, 'approvers' | 'approversFile'>,
  problem: string,
  key: unknown,
): string {
  const isKnown = approvers().some(({ id }) => id === key);
  if (isKnown || typeof key !== 'string') return problem;
  return `${problem}. Add the public key of the person who started it (operator.pub beside their operator.pem) to ${approversFile} where the worker runs; AGENT_APPROVERS names another file`;
}
