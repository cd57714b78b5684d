import { realpathSync } from 'node:fs';
import type { Approvers } from '../../audit/record/keys/approvers.ts';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { limitsOf } from '../../policies/decide.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import { CommandError, toCommandLine } from '../../policies/commands/shell.ts';
import { isTestRun } from '../../policies/commands/test-runs.ts';
import { isForeign, toUntrusted } from '../../policies/untrusted/untrusted.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { ActResult, Approval, Ref, Settlement, SnapshotId } from '../contract.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { hearAnswers } from './answers.ts';
import type { Heard } from './answers.ts';
import { Rejudged, carryOut } from './carry-out.ts';
import type { Outcome } from './carry-out.ts';
import { toPreview } from '../../tools/catalogue.ts';
import { checksOf, toWithheld } from './checks.ts';
import type { Checks } from './checks.ts';
import { storeDetails } from './details.ts';
import {
  isWhole,
  renderEnded,
  renderWithheld,
  storeChange,
  toDecision,
} from './protected-change.ts';
import { createScreen } from './screen.ts';
import type { Screen, Screened } from './screen.ts';
import { judge, refusal, stopped, toSettled } from './judge.ts';
import { storeObservation } from './observe.ts';
import { findOutside } from './provenance.ts';
import { PathRefused, toNames } from '../files/walk.ts';
import { GitCheckFailed } from '../sandbox/git/find.ts';
import type { Attempt, Held, Transactions } from './transactions.ts';
import { createCheck, findProblem, findVersion, toShown } from './versions.ts';
import { isCancelled } from './transactions.ts';

export interface ActDependencies {
  readonly blobs: BlobStore;
  readonly audit: AuditLog;
  /** The bundle in force in a workspace: asked for at each action. */
  readonly policy: (workspace: string) => Promise<{
    readonly policy: Policy;
    readonly sha256: string;
    /** Why nothing may be done in this workspace. */
    readonly problem?: string;
  }>;
  readonly sandbox: Sandbox;
  readonly transactions: Transactions;
  /** Whose answers count. */
  readonly approvers: Approvers;
  /** Takes secrets out of arguments and results; by their form if absent. */
  readonly redactor?: Redactor;
  /** For outputs while they grow. */
  readonly spillDir: string;
}

/** One action and where it stands in its run. */
export interface ActOrder {
  readonly run: string;
  readonly step: string;
  /** Absent outside of runs: then nothing remembers the action, and nothing takes it back. */
  readonly seq?: number;
  readonly call: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly workspace: string;
  readonly approval?: Approval;
  readonly change?: Approval;
  readonly against?: string;
  readonly settled?: Settlement;
  readonly untrusted?: Untrusted;
  /** Name of the hook, for a call that no model asked for. */
  readonly hook?: string;
  readonly previous?: Ref;
  readonly tree?: SnapshotId;
  /** See ActRequest. */
  readonly head?: string;
  /** From 1; more when Temporal hands the action out again. */
  readonly attempt?: number;
  readonly signal: AbortSignal;
}

export type Acted = ActResult & { readonly text: string };

/** One action on its way: what was decided of it, and how to write of it. */
interface Way {
  readonly dependencies: ActDependencies;
  readonly order: ActOrder;
  readonly action: Action;
  readonly policy: Policy;
  readonly base: Base;
  readonly heard: Heard;
}

/** What every audit line about the action says. */
interface Base {
  readonly run: string;
  readonly step: string;
  readonly action?: number;
  readonly tool: string;
  readonly digest: string;
  readonly policy: string;
  readonly preview: string;
  readonly hook?: string;
  readonly approver?: string;
}

const now = (): string => new Date().toISOString();

/** decide → (ask) → transaction: begin, carry out, commit → log. Every way out is in the audit log. */
export async function performAction(
  dependencies: ActDependencies,
  order: ActOrder,
): Promise<Acted> {
  const { run, step, seq, tool } = order;
  const checks = checksOf(dependencies.redactor ?? formRedactor);
  const asked = await toAction(checks, order);
  const heard = await hearAnswers(dependencies, order, asked.action);
  const { action, digest, settled } = heard;
  const bundle = await dependencies.policy(action.workspace);
  // The store first: what is done is done, whatever the policy would say of it today.
  const known =
    seq === undefined
      ? undefined
      : await dependencies.transactions.recall<ActResult>({ ...toIdentity(order, seq), digest });
  const against = toBound(order, action);
  // What was approved is another change by now.
  const isStale = known === undefined && against !== undefined && findVersion(action) !== against;
  const approval = isStale ? undefined : heard.approval;
  failpoint('decide.before');
  const judged = asked.refused ?? (await checks.decide(bundle.policy, action, order.untrusted));
  const decision = judge(judged, { action, digest, sandbox: dependencies.sandbox, approval });
  failpoint('decide.after');
  const base: Base = {
    run,
    step,
    tool,
    digest,
    policy: bundle.sha256,
    preview: toPreview(tool, action.args),
    action: seq,
    hook: order.hook,
    approver: approval?.by,
  };
  const way: Way = { dependencies, order, action, policy: bundle.policy, base, heard };
  if (seq !== undefined && known?.state === 'committed')
    return await giveAgain(way, seq, known.result);
  if (seq !== undefined && known?.state === 'begun') {
    const then = known.decision ?? decision;
    // Not to be repeated, or a person has said what became of it: what allowed it then still stands.
    if (then.effect === 'external' || settled !== undefined) return await change(way, seq, then);
    if (decision.verdict !== 'allow' || decision.effect === 'pure')
      await takeBack(way, seq, decision);
  }
  if (decision.verdict === 'ask') return await askPerson(way, decision);
  if (decision.verdict === 'deny') return await look(way, decision, () => refusal(decision));
  if (decision.effect !== 'pure' && seq !== undefined) return await change(way, seq, decision);
  return await look(way, decision, (signal) => carryOutUnkept(way, decision, signal));
}

const toScreen = ({ dependencies, policy, action, base }: Way, hasSnapshots: boolean): Screen =>
  createScreen({ ...dependencies, policy, action, digest: base.digest, hasSnapshots });

/** What only looks; outside of runs also what changes something, of which nothing can be put back or held for a question. */
async function carryOutUnkept(way: Way, decision: Decision, signal: AbortSignal): Promise<Outcome> {
  const { action } = way;
  const around = toSurroundings(way, decision, signal);
  if (decision.effect === 'pure' || action.tool !== 'run_command')
    return await carryOut(action, around);
  const screen = toScreen(way, false);
  const sights = await screen.look();
  const outcome = await carryOut(action, around);
  const denied = await screen.clear(sights);
  if (denied.length === 0) return outcome;
  return { ...outcome, ok: false, text: outcome.text + renderWithheld(denied) };
}

const toPrevious = ({ previous }: ActOrder): Pick<ActOrder, 'previous'> =>
  previous === undefined ? {} : { previous };

const isElsewhere = ({ args }: ActOrder, action: Action): boolean =>
  action.args['path'] !== args['path'];

/** The version a person approved the change of, where it is still about that file. */
const toBound = (order: ActOrder, action: Action): string | undefined =>
  isElsewhere(order, action) ? undefined : order.against;

/** What is decided, shown, approved and carried out are the same arguments, and none has a secret in it. */
async function toAction(
  checks: Checks,
  order: ActOrder,
): Promise<{ readonly action: Action; readonly refused?: Decision }> {
  const { tool } = order;
  const workspace = realpathSync(order.workspace);
  const args = await checks.redactArguments(order.args);
  if (args !== undefined) return { action: { tool, args, workspace } };
  const reason = `The arguments of ${tool} could not be checked for secrets in time. Send less at once.`;
  const refused: Decision = { verdict: 'deny', rule: 'secrets.deadline', reason, effect: 'pure' };
  return { action: { tool, args: {}, workspace }, refused };
}

const toIdentity = ({ run, workspace }: Pick<ActOrder, 'run' | 'workspace'>, seq: number) => ({
  run,
  seq,
  workspace: realpathSync(workspace),
});

/** The result of a committed call. Only a crash between commit and log leaves it without its line. */
async function giveAgain(way: Way, seq: number, result: ActResult): Promise<Acted> {
  const { audit } = way.dependencies;
  if (!(await audit.has({ kind: 'outcome', run: way.order.run, action: seq }))) {
    const base = { ...way.base, policy: result.policy };
    await logOutcome({ ...way, base }, result, result);
  }
  return { ...result, text: result.head };
}

/** Undoes an attempt that a crash cut short, and that is not to be made again. */
async function takeBack(way: Way, seq: number, { verdict, rule, effect }: Decision): Promise<void> {
  const { audit, transactions } = way.dependencies;
  const screen = way.action.tool === 'run_command' ? { screen: toScreen(way, true) } : {};
  const call = { ...toIdentity(way.order, seq), digest: way.base.digest, ...screen };
  await transactions.takeBack(call, async ({ cut, left }) => {
    await audit.append({
      kind: 'rollback',
      time: now(),
      ...way.base,
      verdict,
      rule,
      effect,
      cut,
      left,
    });
  });
}

const toSurroundings = (
  { dependencies, policy, heard, base }: Way,
  { effect }: Decision,
  signal: AbortSignal,
  held?: Held,
) => ({
  ...dependencies,
  redactor: dependencies.redactor ?? formRedactor,
  policy,
  effect,
  base,
  signal,
  approved: heard.approval !== undefined,
  held,
});

const createStopwatch = (): (() => number) => {
  const started = performance.now();
  return () => Math.round(performance.now() - started);
};

/** Keeps an outcome that no transaction does. */
async function observe(way: Way, decision: Decision, outcome: Outcome, ms: number): Promise<Acted> {
  const acted = await toActed(way, decision, outcome, ms);
  await logOutcome(way, acted, decision);
  return acted;
}

/** What changes nothing needs no transaction. */
async function look(
  way: Way,
  decision: Decision,
  perform: (signal: AbortSignal) => Promise<Outcome> | Outcome,
): Promise<Acted> {
  const elapsed = createStopwatch();
  const settle = (outcome: Outcome, judged = decision): Promise<Acted> =>
    observe(way, judged, outcome, elapsed());
  try {
    return await settle(await perform(way.order.signal));
  } catch (error) {
    if (error instanceof Rejudged) return await rejudge(way, error, settle);
    if (error instanceof GitCheckFailed) return await settle(toUnchecked(error, false));
    if (isCancelled(way.order.signal)) await settle(stopped);
    throw error;
  }
}

const rejudge = async (
  way: Way,
  { decision }: Rejudged,
  settle: (outcome: Outcome, judged: Decision) => Promise<Acted>,
): Promise<Acted> =>
  decision.verdict === 'ask'
    ? await askPerson(way, decision)
    : await settle(refusal(decision), decision);

/** An action that changes something, as a transaction on the workspace. */
async function change(way: Way, seq: number, decision: Decision): Promise<Acted> {
  const { dependencies, order, action, base } = way;
  const { audit, transactions } = dependencies;
  const { run } = order;
  const { settled } = way.heard;
  const { verdict, rule, effect } = decision;
  const elapsed = createStopwatch();
  let left: readonly string[] = [];
  const line = () => ({ time: now(), ...base, verdict, rule, effect });
  try {
    const ended = await transactions.transact<Outcome, ActResult>(
      {
        workspace: action.workspace,
        run,
        seq,
        digest: base.digest,
        signal: order.signal,
        tree: order.tree,
        settled: settled?.what,
        decision,
        screen: action.tool === 'run_command' ? toScreen(way, true) : undefined,
        answer: way.heard.change,
        isTakenBack: (error) => error instanceof Rejudged || error instanceof GitCheckFailed,
        touches: action.tool === 'run_command' ? undefined : toTouched(action),
        takenBack: (paths) => (left = paths),
        async begin({ again, ...attempt }: Attempt) {
          if (again) await audit.append({ kind: 'rollback', ...line(), ...attempt });
          left = attempt.left ?? [];
          // Synced before the effect: whatever happens next, the log says that it was about to.
          if (settled === undefined) await audit.append({ kind: 'intent', ...line() });
          failpoint('intent.after');
        },
      },
      async (signal, held, before) => {
        if (settled !== undefined) return { outcome: toSettled(settled) };
        const around = toSurroundings(way, decision, signal, held);
        const locked = before.sights?.uncovered;
        const outcome = await carryOut(action, {
          ...around,
          locked: locked === undefined ? undefined : (path: string) => locked.includes(path),
          // Arguments for another file a person wrote, who is to know it.
          check: isElsewhere(order, action)
            ? undefined
            : await createCheck(dependencies.blobs, order),
        });
        failpoint('exit.after');
        return action.tool === 'run_command' ? { outcome } : { outcome, changed: outcome.changed };
      },
      async (outcome, ending) => {
        const told = {
          ...outcome,
          ok: outcome.ok && isWhole(ending),
          text: tellLeft(left) + outcome.text + renderEnded(ending, way.heard.change),
        };
        const ms = ending.ms ?? elapsed();
        const { text: _, ...result } = await toActed(way, decision, told, ms, ending.post);
        return { ...result, tree: ending.post, ...toLeft(left) };
      },
    );
    if (ended.state === 'held') return await askAboutChange(way, decision, ended.screened);
    if (ended.state === 'unknown') return await askWhatHappened(way, decision, ended);
    if (ended.state === 'stored') return await giveAgain(way, seq, ended.result);
    await logOutcome(way, ended.result, decision);
    failpoint('completion.before');
    return { ...ended.result, text: ended.result.head };
  } catch (error) {
    const settle = (outcome: Outcome, judged = decision): Promise<Acted> =>
      observe(way, judged, outcome, elapsed());
    if (error instanceof Rejudged) return await rejudge(way, error, settle);
    if (error instanceof GitCheckFailed) return await settle(toUnchecked(error, true));
    if (isCancelled(order.signal))
      await settle({ ...stopped, text: stopped.text + tellLeft(left).trim() });
    throw error;
  }
}

const mostLeft = 20;

const toLeft = (left: readonly string[]): Pick<ActResult, 'left'> =>
  left.length === 0 ? {} : { left: left.slice(0, mostLeft) };

/** For the model: what is not as it was before the call although the call begins anew. */
function tellLeft(left: readonly string[]): string {
  if (left.length === 0) return '';
  const named = left.slice(0, mostLeft).join(', ');
  return `[An earlier attempt of this call was interrupted. Its changes were reverted, except in files no snapshot holds: ${named}. Check them before you rely on them.]\n`;
}

/** The file a file tool is about to change, as far as it can be said without a look. */
function toTouched({ args, workspace }: Action): string[] {
  try {
    return [toNames(workspace, String(args['path'])).join('/')];
  } catch (error) {
    if (error instanceof PathRefused) return [];
    throw error;
  }
}

/** Nothing is known of what git would do in the workspace now. */
function toUnchecked({ message }: GitCheckFailed, isRevertedNow: boolean): Outcome {
  const rest = isRevertedNow
    ? ' Its changes were reverted, except in folders that snapshots leave out.'
    : '';
  const text = `The command may have left something in a git folder that makes git start a program, and this could not be ruled out: ${message}${rest} Do not run git in the workspace until this is resolved.`;
  return { ok: false, text, bytes: Buffer.byteLength(text), changed: [] };
}

const nothingYet = { ok: false, bytes: 0, ms: 0 } as const;

async function askPerson(way: Way, decision: Decision): Promise<Acted> {
  const { audit, blobs } = way.dependencies;
  // Nobody is asked about a change that would be refused afterwards.
  const problem =
    way.order.seq === undefined
      ? undefined
      : findProblem(await createCheck(blobs, toPrevious(way.order)), way.action);
  if (problem !== undefined) {
    const refused = {
      ...decision,
      verdict: 'deny',
      rule: 'files.version',
      reason: problem,
    } as const;
    return await look(way, refused, () => refusal(refused));
  }
  const { verdict, rule, effect } = decision;
  await audit.append({ kind: 'decision', time: now(), ...way.base, verdict, rule, effect });
  const version = findVersion(way.action);
  const question = await toQuestion(way, decision);
  return typeof version === 'string'
    ? { ...question, digest: toShown(question.digest, version), against: version }
    : question;
}

async function toQuestion(
  { dependencies, policy, action, base, heard: { refused } }: Way,
  decision: Decision,
): Promise<Acted> {
  const { verdict, rule, reason, effect } = decision;
  return {
    verdict,
    rule,
    reason,
    effect,
    policy: base.policy,
    digest: base.digest,
    ...nothingYet,
    head: reason.slice(0, 200),
    limits: limitsOf(policy),
    text: reason,
    details: await storeDetails(dependencies.blobs, policy, action, decision),
    refused,
  };
}

/** The command has run, and what it changed is in the store: a person is asked about exactly that. */
async function askAboutChange(
  way: Way,
  { effect }: Decision,
  { asked, digest }: Extract<Screened, { state: 'asks' }>,
): Promise<Acted> {
  const { dependencies, policy, action, base, heard } = way;
  const { blobs, audit, transactions } = dependencies;
  const decision = toDecision(asked, effect);
  const { verdict, rule, reason } = decision;
  await audit.append({ kind: 'decision', time: now(), ...base, digest, verdict, rule, effect });
  const { snapshots } = transactions.peek(action.workspace);
  return {
    verdict,
    rule,
    reason: reason.slice(0, 500),
    effect,
    policy: base.policy,
    digest,
    ...nothingYet,
    change: true,
    limits: limitsOf(policy),
    head: reason.slice(0, 200),
    text: reason,
    details: await storeChange({ blobs, policy, snapshots }, action, decision, asked),
    refused: heard.refused,
  };
}

/** Begun before a crash, and not to be repeated: only a person can say what became of it. */
async function askWhatHappened(
  way: Way,
  decision: Decision,
  { pre: tree, left }: { readonly pre: string; readonly left?: readonly string[] },
): Promise<Acted> {
  const { rule, effect } = decision;
  const { preview } = way.base;
  const reason =
    left === undefined
      ? `The worker was stopped while this ran: ${preview}. It may have effects outside the workspace, so it is not run again. Find out whether it took effect.`
      : `The worker was stopped while this ran: ${preview}. It had changed files that no snapshot holds, so it cannot be reverted and is not run again: ${left.slice(0, mostLeft).join(', ')}. Check them. Approve if they are as they should be; deny to revert everything else and leave these as they are.`;
  await way.dependencies.audit.append({
    kind: 'unknown',
    time: now(),
    ...way.base,
    verdict: 'ask',
    rule,
    effect,
    tree,
  });
  return { ...(await toQuestion(way, { verdict: 'ask', rule, reason, effect })), unknown: true };
}

/** What is refused may have no sense as a command at all. */
function isTest({ tool, args, workspace }: Action): boolean {
  if (tool !== 'run_command') return false;
  try {
    return isTestRun(toCommandLine(args, workspace));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/** Stores the observation, and says what the run needs to know of it. */
async function toActed(
  { dependencies, order, action, base, policy, heard }: Way,
  decision: Decision,
  raw: Outcome,
  ms: number,
  tree = order.tree,
): Promise<Acted> {
  const { verdict, rule, reason, effect } = decision;
  const checks = checksOf(dependencies.redactor ?? formRedactor);
  const given = (heard.note ?? '') + raw.text;
  const masked = (await checks.redact(given)) ?? { text: toWithheld(given), count: 0 };
  const outcome = { ...raw, text: masked.text };
  const redacted = masked.count + (raw.redacted ?? 0);
  const { ok, bytes, exitCode } = outcome;
  failpoint('blob.before');
  const { blobs } = dependencies;
  const { ref, text, output, suspicious } = await storeObservation({ blobs, checks }, outcome, {
    seq: order.seq ?? 0,
    step: order.step,
    call: order.call,
    tool: order.tool,
    preview: base.preview,
    verdict,
    rule,
    ms,
    time: now(),
    hook: order.hook,
    tree,
    test: verdict === 'allow' && isTest(action) ? true : undefined,
    previous: order.previous,
  });
  const outside =
    verdict === 'allow'
      ? await findOutside({ run: order.run, head: order.head, action, policy, outcome })
      : undefined;
  const untrusted =
    verdict === 'allow' && isForeign(order.tool)
      ? toUntrusted(policy, `${order.tool} ${base.preview}`, suspicious, outside)
      : undefined;
  failpoint('blob.after');
  return {
    verdict,
    rule,
    reason: reason.slice(0, 500),
    effect,
    policy: base.policy,
    digest: base.digest,
    ok,
    observation: ref,
    head: text.slice(0, 200),
    output,
    bytes,
    ms,
    limits: limitsOf(policy),
    text,
    exitCode,
    preview: heard.note === undefined ? undefined : base.preview,
    redacted: redacted === 0 ? undefined : redacted,
    suspicious: suspicious.length === 0 ? undefined : suspicious,
    untrusted,
  };
}

async function logOutcome(
  { dependencies, base }: Way,
  { ok, ms, bytes, exitCode, observation, tree, redacted, suspicious }: ActResult,
  { verdict, rule, effect }: Pick<Decision, 'verdict' | 'rule' | 'effect'>,
): Promise<void> {
  await dependencies.audit.append({
    kind: verdict === 'allow' ? 'outcome' : 'decision',
    time: now(),
    ...base,
    verdict,
    rule,
    effect,
    ok,
    ms,
    bytes,
    observation,
    exitCode,
    tree,
    redacted,
    suspicious,
  });
}

/** One tool call by hand, exactly as a run would make it, with nobody to approve. */
export const invokeTool = (
  dependencies: ActDependencies,
  order: Pick<ActOrder, 'run' | 'tool' | 'args' | 'workspace'>,
): Promise<Acted> =>
  performAction(dependencies, {
    ...order,
    step: '',
    call: 'by-hand',
    signal: new AbortController().signal,
  });
