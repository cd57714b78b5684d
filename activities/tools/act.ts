import { realpathSync } from 'node:fs';
import type { BlobStore } from '../../audit/blobs.ts';
import { hashOf } from '../../audit/blobs.ts';
import { toCanonical } from '../../audit/canonical.ts';
import type { AuditLog } from '../../audit/log.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { decide, limitsOf } from '../../policies/decide.ts';
import type { Policy } from '../../policies/schema.ts';
import type { ActResult, Approval, Observation, Ref } from '../contract.ts';
import type { Sandbox } from '../workspace/sandbox.ts';
import { hashFile } from '../workspace/files.ts';
import { Rejudged, carryOut, toShown } from './carry-out.ts';
import type { Outcome } from './carry-out.ts';
import { toPreview } from './catalogue.ts';
import type { Journal } from './journal.ts';

export interface ActDependencies {
  readonly blobs: BlobStore;
  readonly audit: AuditLog;
  /** The bundle in force: asked for at each action. */
  readonly policy: () => { readonly policy: Policy; readonly sha256: string };
  readonly sandbox: Sandbox;
  readonly journal: Journal<ActResult>;
  /** For outputs while they grow. */
  readonly spillDir: string;
}

/** One action and where it stands in its run. */
export interface ActOrder {
  readonly run: string;
  readonly step: string;
  /** Absent outside of runs: then nothing remembers the action. */
  readonly seq?: number;
  readonly call: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly workspace: string;
  readonly approval?: Approval;
  readonly previous?: Ref;
  readonly signal: AbortSignal;
}

export type Acted = ActResult & { readonly text: string };

/** decide → (ask) → note → carry out → store → note. Every way out is in the audit log. */
export async function performAction(
  dependencies: ActDependencies,
  order: ActOrder,
): Promise<Acted> {
  const { audit, journal } = dependencies;
  const { run, step, seq, tool, args, approval } = order;
  const bundle = dependencies.policy();
  const action: Action = { tool, args, workspace: realpathSync(order.workspace) };
  const digest = hashOf(toCanonical(action));
  const decided = judge(decide(bundle.policy, action), tool, dependencies.sandbox);
  const decision = approval === undefined ? decided : applyApproval(decided, approval, digest);
  const base: Base = {
    ...{ run, step, tool, digest, policy: bundle.sha256 },
    ...{ preview: toPreview(tool, args), ...(seq === undefined ? {} : { action: seq }) },
    ...(approval === undefined ? {} : { approver: approval.by }),
  };
  const settle = (outcome: Outcome, judged: Decision, ms: number): Promise<Acted> =>
    conclude(dependencies, order, { base, outcome, decision: judged, ms });

  if (approval !== undefined) {
    const { request, answer, by, reason } = approval;
    const why = reason === undefined ? {} : { reason };
    await audit.append({
      kind: 'approval',
      time: now(),
      run,
      step,
      request,
      digest,
      answer,
      by,
      ...why,
    });
  }
  if (decision.verdict === 'ask') return await askPerson(dependencies, base, decision);
  if (decision.verdict === 'deny') return await settle(refusal(decision), decision, 0);

  const lasting = decision.effect !== 'pure' && seq !== undefined;
  const past = lasting ? await journal.look(run, seq, digest) : ({ state: 'new' } as const);
  if (past.state === 'ended') return { ...past.result, text: past.result.head };
  const before = await noteBefore(action);
  if (past.state === 'begun') {
    const found = recover(action, past.before, before);
    if (found !== undefined) return await settle(found, decision, 0);
  } else if (lasting) {
    const { verdict, rule, effect } = decision;
    await audit.append({ kind: 'intent', time: now(), ...base, verdict, rule, effect });
    await journal.begin(run, seq, digest, before);
  }

  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  try {
    const around = {
      ...dependencies,
      policy: bundle.policy,
      signal: order.signal,
      approved: approval !== undefined,
    };
    return await settle(await carryOut(action, around), decision, elapsed());
  } catch (error) {
    if (error instanceof Rejudged) {
      const judged = error.decision;
      return judged.verdict === 'ask'
        ? await askPerson(dependencies, base, judged)
        : await settle(refusal(judged), judged, elapsed());
    }
    if (order.signal.aborted) await settle(stopped, decision, elapsed());
    throw error;
  }
}

interface Base {
  readonly run: string;
  readonly step: string;
  readonly action?: number;
  readonly tool: string;
  readonly digest: string;
  readonly policy: string;
  readonly preview: string;
  readonly approver?: string;
}

const now = (): string => new Date().toISOString();

/** Without a sandbox there are no commands, whatever the policy says. */
function judge(decision: Decision, tool: string, sandbox: Sandbox): Decision {
  if (tool !== 'run_command' || sandbox.kind !== 'unavailable' || decision.verdict === 'deny')
    return decision;
  return {
    ...decision,
    verdict: 'deny',
    rule: 'sandbox.unavailable',
    reason: `Commands cannot be run here: ${sandbox.reason} Use the file tools. (${sandbox.fix})`,
  };
}

/** An approval counts for exactly the action it was given for; it can lift an `ask`, never a `deny`. */
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

const refusal = ({ rule, reason }: Decision): Outcome => {
  const text = `Refused (${rule}): ${reason}`;
  return { ok: false, text, bytes: Buffer.byteLength(text), changed: [] };
};

const stopped: Outcome = {
  ok: false,
  text: 'Stopped: the run was cancelled.',
  bytes: 0,
  changed: [],
};

/** Hash of the file an action is about to change; null where there is none, or the tool is none of those. */
async function noteBefore({ tool, args, workspace }: Action): Promise<string | null> {
  if (!['write_file', 'edit_file', 'delete_file'].includes(tool)) return null;
  try {
    return hashFile(workspace, String(args['path']), { maxBytes: Number.MAX_SAFE_INTEGER });
  } catch {
    // Not a file that can be read; the tool itself will say so.
    return null;
  }
}

const toRecovered = (text: string, ok: boolean, changed: string[] = []): Outcome => ({
  ok,
  text,
  bytes: 0,
  changed,
});

/**
 * What to make of an action that was begun before a crash. A file tool replaces its file in one step: the same hash as before
 * means it is still to do, another one that it is done. A command's outcome cannot be told.
 */
function recover(
  { tool, args }: Action,
  before: string | null,
  found: string | null,
): Outcome | undefined {
  if (tool === 'run_command') {
    return toRecovered(
      'The worker was stopped while this command ran. What it had done by then is done; whether it finished is not known. Look before you run it again.',
      false,
    );
  }
  if (found === before) return undefined;
  const path = String(args['path']);
  return toRecovered(`Done: ${path} (finished just before the worker was restarted).`, true, [
    path,
  ]);
}

async function askPerson(
  { audit, policy }: ActDependencies,
  base: Base,
  decision: Decision,
): Promise<Acted> {
  const { verdict, rule, reason, effect } = decision;
  await audit.append({ kind: 'decision', time: now(), ...base, verdict, rule, effect });
  return {
    ...{ verdict, rule, reason, effect, policy: base.policy, digest: base.digest },
    ...{
      ok: false,
      head: reason.slice(0, 200),
      bytes: 0,
      ms: 0,
      limits: limitsOf(policy().policy),
      text: reason,
    },
  };
}

interface Conclusion {
  readonly base: Base;
  readonly outcome: Outcome;
  readonly decision: Decision;
  readonly ms: number;
}

/** Stores the observation, then the journal, then the log: a crash in between leaves something the next try can go on from. */
async function conclude(
  dependencies: ActDependencies,
  order: ActOrder,
  conclusion: Conclusion,
): Promise<Acted> {
  const { blobs, audit, journal, policy } = dependencies;
  const { base, outcome, decision, ms } = conclusion;
  const { verdict, rule, reason, effect } = decision;
  const { ok, bytes, exitCode, changed } = outcome;
  const exit = exitCode === undefined ? {} : { exitCode };
  const shown = await toShown(outcome, blobs);
  const stored: Observation = {
    ...{
      v: 1,
      seq: order.seq ?? 0,
      step: order.step,
      call: order.call,
      tool: order.tool,
      preview: base.preview,
    },
    ...{ verdict, rule, ok, ms, changed, time: now(), text: shown.text, ...exit },
    ...(order.previous === undefined ? {} : { previous: order.previous }),
    ...(shown.whole === undefined ? {} : { whole: shown.whole }),
  };
  const observation = await blobs.putJson(stored);
  const result: ActResult = {
    ...{
      verdict,
      rule,
      reason: reason.slice(0, 500),
      effect,
      policy: base.policy,
      digest: base.digest,
    },
    ...{
      ok,
      observation,
      head: shown.text.slice(0, 200),
      bytes,
      ms,
      limits: limitsOf(policy().policy),
      ...exit,
    },
  };
  if (verdict === 'allow' && effect !== 'pure' && order.seq !== undefined) {
    await journal.end(order.run, order.seq, base.digest, result);
  }
  const kind = verdict === 'allow' ? 'outcome' : 'decision';
  await audit.append({
    kind,
    time: now(),
    ...base,
    verdict,
    rule,
    effect,
    ok,
    ms,
    bytes,
    observation,
    ...exit,
  });
  return { ...result, text: shown.text };
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
