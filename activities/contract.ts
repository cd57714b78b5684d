/**
 * What workflow code and activities say to each other. Types only: workflows import nothing else of this room.
 * Whatever can grow (prompts, transcripts, arguments, outputs) travels as a `Ref` into the blob store, so that
 * history stays flat however long the conversation gets (docs/architecture.md, "Messages by reference").
 */
import type { Signature } from '../audit/record/keys/answer-signature.ts';
import type { Decision, Effect, Limits, Meter, Prices, Verdict } from '../policies/action.ts';
import type { Suspicion } from '../policies/untrusted/injection.ts';
import type { Risk } from '../policies/risk.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { HooksInForce } from './hooks.ts';
import type { InspectionActivities } from './inspection.ts';
import type { PromotionActivities } from './promotion.ts';

/** Address of a blob: `sha256:` and 64 hex digits. */
export type Ref = string;

/** Which model answers for a role, and where. Without `baseUrl` the worker's own endpoint is used. */
export interface ModelChoice {
  readonly model: string;
  readonly baseUrl?: string;
  /** Skips the probe for the Responses API. */
  readonly forceChat?: boolean;
}

/** Tokens as the server counted them; `estimated` marks counts derived from text length. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of the input that the server had in its cache; absent when it does not say. */
  readonly cachedTokens?: number;
  readonly estimated?: boolean;
}

/**
 * What came of asking a model. Only `answer` carries the run forward:
 * `unavailable` makes the run wait and ask again, `invalid` and `refused` end it as failed.
 */
export type ModelOutcome<T> =
  | {
      kind: 'answer';
      answer: T;
      usage: Usage;
      model: string;
      protocol: 'responses' | 'chat';
      ms: number;
    }
  | { kind: 'unavailable'; address: string; reason: string; retryAfterMs?: number }
  | { kind: 'invalid'; reason: string; usage: Usage; model?: string; ms: number }
  | { kind: 'refused'; address: string; reason: string };

export interface PlannedStep {
  /** `s1`, `s2` …: unique within the plan. */
  readonly id: string;
  /** At most 80 characters. */
  readonly title: string;
  readonly dependsOn: readonly string[];
}

export interface PlanRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  /** Result of `openWorkspace`. */
  readonly facts: Ref;
  /** Why the last plan was given up, oldest first. */
  readonly notes: readonly Ref[];
  /** What steps of the plans given up achieved, one line each. */
  readonly claims?: readonly string[];
  /** What a person said since the last model call. */
  readonly said: readonly string[];
  /** Why the engine gave up the plan before. */
  readonly remarks?: readonly string[];
}

export interface PlanAnswer {
  /** The whole plan: steps with details and acceptance criteria. */
  readonly plan: Ref;
  /** One sentence on the approach, at most 300 characters. */
  readonly approach: string;
  readonly steps: readonly PlannedStep[];
}

/** A tool call the model asked for. Its arguments are in `segment`, the transcript blob that holds them. */
export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly segment: Ref;
  readonly index: number;
  /** What a person reads: the path, the command line, the question. At most 160 characters, one line. */
  readonly preview: string;
}

export interface ThinkRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  readonly facts: Ref;
  readonly plan: Ref;
  readonly step: string;
  /** The step's conversation so far; absent at its first turn. */
  readonly transcript?: Ref;
  /** Results of the calls of the last turn, in their order. */
  readonly observations: readonly Ref[];
  /** Reviewer's notes for a retry, summaries of finished steps. */
  readonly notes: readonly Ref[];
  readonly said: readonly string[];
  /** What finished steps achieved, one line each; sent at the step's first turn only. */
  readonly claims?: readonly string[];
  /** A sentence of the engine to the model, such as a budget warning. */
  readonly nudge?: string;
  /** Limits that come to their end; the nudge says so. */
  readonly near?: readonly Meter[];
  /** Tools that cannot work in this run; they are not offered. */
  readonly without?: readonly string[];
  /** A budget is used up: only `finish_step` is offered, and an answer without it will do. */
  readonly lastWord?: true;
}

export interface ThinkAnswer {
  readonly transcript: Ref;
  /** What the model said beside its calls, at most 300 characters. */
  readonly thought: string;
  readonly calls: readonly Call[];
  /** Set when the model called `finish_step`: at most 500 characters of its summary. */
  readonly finish?: { readonly summary: string; readonly evidence: string };
  /** Set when the model called `ask_human`. */
  readonly question?: { readonly id: string; readonly text: string };
}

export interface ReviewRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  readonly plan: Ref;
  readonly scope: 'step' | 'run';
  /** With scope `step`. */
  readonly step?: string;
  /** Head of the chain of observations: what really happened, written by the workspace worker only. */
  readonly evidence?: Ref;
  /** What code found in the whole work, and its diff. */
  readonly findings?: Ref;
  /** What the executor says it did, one line per step. */
  readonly claims: readonly string[];
  /** What the person said to the run, oldest first; absent in requests of older runs. */
  readonly said?: readonly Said[];
  /** What code holds against the work; the person may have waived it. */
  readonly problems?: readonly string[];
}

/** A message of a person to the run. */
export interface Said {
  readonly text: string;
  /** The question of a model that it answers. */
  readonly asked?: string;
}

export interface ReviewAnswer {
  readonly verdict: 'accept' | 'retry' | 'replan';
  /** What is missing, for the executor or the planner. */
  readonly notes: Ref;
  /** At most 300 characters of it. */
  readonly head: string;
  /** Those of the problems given that the person did not waive; absent when none was given. */
  readonly problems?: readonly string[];
}

/** The operator's signature of what they want carried out, and the number that makes it one of a kind. */
export interface Order {
  /** A UUID. */
  readonly nonce: string;
  readonly signature: Signature;
}

/** A person's answer to an `ask`, bound to the digest of exactly what was shown. */
export interface Approval {
  readonly request: string;
  readonly digest: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
  readonly reason?: string;
  /** Arguments a person wrote in place of the model's. */
  readonly edited?: Ref;
  /** Without one of an approver the answer does not count. */
  readonly signature?: Signature;
  /** Given when the run was started, to whatever it would ask: the signature is about that. */
  readonly standing?: true;
  /** Of a standing order: the number of the order the run was announced with. */
  readonly order?: string;
}

/** What a person is shown before they answer: a blob, since it may be long. */
export interface ApprovalDetails {
  readonly v: 1;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Absolute path. */
  readonly workspace: string;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
  readonly effect: Effect;
  readonly risk: Risk;
  /** Each part of a command line with what the policy says of it alone. */
  readonly parts?: readonly ApprovalPart[];
  /** Of a file that would be changed, or of `changes`: the hunks of a unified diff. */
  readonly diff?: string;
  /** Files that a command has changed and whose change is held back. */
  readonly changes?: readonly ChangedFile[];
}

/** One file of a change that is held back. */
export interface ChangedFile {
  /** Relative to the workspace. */
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly rule: string;
  /** As git writes it, 120000 for a link; absent for a deleted file, as are those after it. */
  readonly mode?: string;
  readonly bytes?: number;
  readonly sha256?: string;
}

export interface ApprovalPart {
  readonly text: string;
  /** Below the workspace. */
  readonly cwd: string;
  readonly verdict: Verdict;
  readonly rule: string;
}

export interface ActRequest {
  readonly run: string;
  readonly step: string;
  /** Counts the run's actions from 1; with run and call it names the action for ever. */
  readonly seq: number;
  readonly workspace: string;
  readonly call: Call;
  readonly approval?: Approval;
  /** A person's answer to what the call has changed and is held back. */
  readonly change?: Approval;
  /** Of the result that was approved. */
  readonly against?: string;
  /** Observation before this one, so that observations form a chain. */
  readonly previous?: Ref;
  /** Snapshot the workspace should hold; absent in runs from before there were any. */
  readonly tree?: SnapshotId;
  /** A person's word on an outcome that was `unknown`. */
  readonly settled?: Settlement;
  /** What the conversation holds that others have written and that counts under the policy. */
  readonly untrusted?: Untrusted;
  /** Name of the hook, for a call that no model asked for. */
  readonly hook?: string;
  /** Commit the workspace was at when the run began, empty for none; absent in runs from before anybody looked. */
  readonly head?: string;
}

/** Snapshot of a workspace: 40 hex digits, an object of the shadow repository. */
export type SnapshotId = string;

/** What a person says of an effect whose outcome a crash left unknown. */
export interface Settlement {
  readonly request: string;
  readonly what: 'happened' | 'not';
  readonly by: string;
  readonly reason?: string;
  readonly signature?: Signature;
}

export interface ActResult extends Pick<Decision, 'verdict' | 'rule' | 'reason' | 'effect'> {
  /** sha256 of the policy bundle that decided, 64 hex digits. */
  readonly policy: string;
  /** sha256 of the canonical action: what an approval is bound to. */
  readonly digest: string;
  /** False when the tool failed or was refused; the run goes on either way. */
  readonly ok: boolean;
  /** Absent when the verdict is `ask`: nothing happened. Absent with `unknown`. */
  readonly observation?: Ref;
  /** A crash cut it short and it may not be done twice: a person must say whether it happened. */
  readonly unknown?: true;
  /** The call has run; what it changed is held back, and `digest` is of exactly that. */
  readonly change?: true;
  /** With the verdict `ask`: ApprovalDetails. */
  readonly details?: Ref;
  /** With the verdict `ask`: sha256 of the file as it was when its change was shown. An approval counts while it is that. */
  readonly against?: string;
  /** Why the answer that was given does not count, as a sentence. */
  readonly refused?: string;
  /** What was carried out, where a person put other arguments in place of the model's. */
  readonly preview?: string;
  /** Snapshot after it; absent when it only looked. */
  readonly tree?: SnapshotId;
  /** In no snapshot and changed by an attempt that was cut short or stopped, at most 20: as that attempt left them. */
  readonly left?: readonly string[];
  /** First 200 characters of what the tool returned. */
  readonly head: string;
  /** 16 hex digits of the sha256 of what the model reads of it: whether the same call gave the same result. */
  readonly output?: string;
  readonly bytes: number;
  readonly exitCode?: number;
  /** What the model is told of a red hook. */
  readonly notes?: Ref;
  /** Secrets taken out of what the tool returned; absent when there were none. */
  readonly redacted?: number;
  readonly ms: number;
  /** Places of the observation's text that try to give orders; absent when none were seen. */
  readonly suspicious?: readonly Suspicion[];
  /** Set when the observation counts as untrusted under the policy. */
  readonly untrusted?: Untrusted;
  /** Limits of the bundle in force. */
  readonly limits: Limits;
}

export interface OpenRequest {
  readonly run: string;
  readonly workspace: string;
  /** Set by runs that hold their workspace by a lease and keep snapshots of it. */
  readonly lease?: true;
  /** Where the run comes from: its workspace is brought to this snapshot, and made as a copy if it is another folder. */
  readonly from?: { readonly workspace: string; readonly tree: SnapshotId };
  /** The folder the workspace is a copy of, made if it is not there yet: the run leaves that one alone. */
  readonly stagedFrom?: string;
}

export type OpenResult =
  | {
      ok: true;
      facts: Ref;
      limits: Limits;
      /** Absent when the policy has none. */
      prices?: Prices;
      policy: string;
      sandbox: 'bubblewrap' | 'none' | 'unavailable';
      /** What commands lack on this machine, and what to do about it; absent where they are confined. */
      restricted?: string;
      /** Snapshot of what the run found; absent without a lease. */
      tree?: SnapshotId;
      /** Paths that snapshots leave out, at most 20. */
      uncovered?: readonly string[];
      /** Settings of the workspace's git that start programs or lead elsewhere, with their files, at most 20; commands do without them. */
      gitSettings?: readonly string[];
      /** Commit that is checked out, empty for none; absent without a lease. */
      head?: string;
      /** Set when the folder's own description counts as untrusted: its instructions, its file names. */
      untrusted?: Untrusted;
      /** Independent steps the policy lets run at once; 1 if absent. */
      parallelSteps?: number;
      /** Commands the run must leave green; absent when there are none. */
      hooks?: HooksInForce;
    }
  /** `busy`: the run that has the workspace; it may be free later. */
  | { ok: false; reason: string; busy?: string };

/** What to do when a person changed the workspace between steps. */
export type DriftPolicy = 'adopt' | 'restore' | 'ask';

export interface EnsureRequest {
  readonly run: string;
  readonly workspace: string;
  /** Snapshot the workspace should hold. */
  readonly tree: SnapshotId;
  /** Overrides the policy: what a person answered, or what a rewind needs. */
  readonly drift?: DriftPolicy;
  /** The person's answer that `drift` comes from. */
  readonly approval?: Approval;
  /** True when the run goes back to an earlier step: what is reverted is its own. */
  readonly rewind?: true;
  /** The step that is about to begin, and where the run stands: from here it can be forked and restored. */
  readonly checkpoint?: Checkpoint;
}

/** Where a run stands at the start of a step; small, and all that is needed to go on from there. */
export interface Checkpoint {
  readonly step: string;
  /** All the steps that begin at once from here, `step` the first of them; absent for one that begins alone. */
  readonly batch?: readonly string[];
  /** The run's state as the workflow keeps it, opaque out here. */
  readonly state: unknown;
}

export interface EnsureResult {
  /** What the workspace holds now. */
  readonly tree: SnapshotId;
  /** Paths a person had changed, at most 20; absent when there were none. */
  readonly drift?: readonly string[];
  /** What was done about it; `ask`: nothing yet. */
  readonly done?: DriftPolicy;
  /** Why the answer that was given does not count, as a sentence. */
  readonly refused?: string;
}

/** A step that runs beside others works in a copy of the workspace. */
export interface LaneRequest {
  readonly run: string;
  readonly workspace: string;
  /** Names the copy within the run. */
  readonly lane: string;
  /** Absent in older runs, which named lanes `<round>-<step>`. */
  readonly step?: string;
  readonly tree: SnapshotId;
}

export interface LaneResult {
  /** Absolute path of the copy. */
  readonly workspace: string;
  readonly tree: SnapshotId;
}

/** Brings what a lane did into the workspace. */
export interface MergeRequest extends LaneRequest {
  readonly laneWorkspace: string;
  /** Snapshot both began from; `tree` is what the workspace holds now. */
  readonly base: SnapshotId;
  readonly theirs: SnapshotId;
  /** Heads of the chains of observations: both began from `from`; the lane's goes behind the run's. */
  readonly evidence: { readonly from?: Ref; readonly ours?: Ref; readonly theirs?: Ref };
  /** Steps of the batch that were merged before this one, and those that would have come after it. */
  readonly batch?: { readonly merged: readonly string[]; readonly left: readonly string[] };
}

export type MergeResult =
  | { readonly ok: true; readonly tree: SnapshotId; readonly evidence?: Ref }
  /** Nothing was merged. `notes` has both diffs, for the planner. */
  | { readonly ok: false; readonly paths: readonly string[]; readonly notes: Ref };

export interface CloseRequest {
  readonly run: string;
  readonly workspace: string;
  readonly status: string;
  readonly summary: string;
  /** The limit that ended the run. */
  readonly limit?: Meter;
  readonly evidence?: Ref;
  /** Snapshots from before the run and from its end. */
  readonly trees?: { readonly before: SnapshotId; readonly after: SnapshotId };
}

export interface CloseResult {
  /** The whole report: goal, plan, what was done, changed files. */
  readonly report: Ref;
  /** Files that changed, sorted, at most 50; without what git ignores. */
  readonly changes: readonly string[];
  /** How many files changed that git ignores; absent for none. */
  readonly ignored?: number;
  /** Changed since the run began and in no snapshot, at most 20. */
  readonly left?: readonly string[];
}

/** Run on the model queue: needs the key, sees no workspace. */
export interface ModelActivities {
  plan(request: PlanRequest): Promise<ModelOutcome<PlanAnswer>>;
  think(request: ThinkRequest): Promise<ModelOutcome<ThinkAnswer>>;
  review(request: ReviewRequest): Promise<ModelOutcome<ReviewAnswer>>;
}

/** Run on the workspace queue of the host that has the folder: sees no key. */
export interface WorkspaceActivities extends PromotionActivities, InspectionActivities {
  openWorkspace(request: OpenRequest): Promise<OpenResult>;
  ensureWorkspace(request: EnsureRequest): Promise<EnsureResult>;
  openLane(request: LaneRequest): Promise<LaneResult>;
  mergeLane(request: MergeRequest): Promise<MergeResult>;
  act(request: ActRequest): Promise<ActResult>;
  closeRun(request: CloseRequest): Promise<CloseResult>;
}

/** What `act` stores for each call; the model reads it as the tool's answer, the reviewer as evidence. */
export interface Observation {
  readonly v: 1;
  readonly seq: number;
  readonly step: string;
  readonly call: string;
  readonly tool: string;
  readonly preview: string;
  readonly previous?: Ref;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly ok: boolean;
  readonly exitCode?: number;
  readonly ms: number;
  /** What the model sees, capped head and tail. */
  readonly text: string;
  /** Where `text` tries to give orders to whoever reads it; absent when nothing of the kind was seen. */
  readonly suspicious?: readonly Suspicion[];
  /** The whole output where `text` is a cut of it. */
  readonly whole?: Ref;
  /** Name of the hook that ran it. */
  readonly hook?: string;
  /** True for a command that runs tests, and whose exit code says how they came out. */
  readonly test?: true;
  /** Snapshot of the workspace after it; of what it looked at, where it only looked. */
  readonly tree?: SnapshotId;
  /** Workspace-relative paths a file tool wrote or deleted. */
  readonly changed: readonly string[];
  /** The file whose content the model knows since then: sha256, `null` for none. */
  readonly seen?: { readonly path: string; readonly sha256: string | null };
  /** RFC 3339, when the action ended. */
  readonly time: string;
}
