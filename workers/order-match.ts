/** Whether an activity is part of what the operator announced. Pure; the order's signature has been verified. */
import { resolve, sep } from 'node:path';
import type { ActRequest } from '../activities/contract/act.ts';
import type { ModelChoice } from '../activities/contract/model.ts';
import type {
  EnsureRequest,
  LaneRequest,
  MergeRequest,
  OpenRequest,
} from '../activities/contract/workspace.ts';
import type { MessagesRequest } from '../activities/contract/messages.ts';
import type { PromoteRequest } from '../activities/contract/promotion.ts';
import { toCanonical } from '../audit/record/canonical.ts';
import type {
  SignedOrder,
  SignedPromotion,
  SignedRun,
} from '../audit/record/keys/order-signature.ts';

/** A run's order, and what else its activities are checked against. */
export interface Announced {
  readonly signed: SignedOrder;
  /** The goal's text in the execution. */
  readonly goal: string;
}

/** Folder of workspace copies, free of links; a run's are in the folder of its name. */
export interface Places {
  readonly copies: string;
}

/** What in an activity's request was not announced, as a sentence; undefined if all of it was. */
export function findMismatch(
  { signed, goal }: Announced,
  activity: string,
  request: unknown,
  places: Places,
): string | undefined {
  if (typeof request !== 'object' || request === null) return `${activity} has no request`;
  if (signed.kind === 'promotion') return matchPromotion(signed, activity, request);
  if ((request as { run?: unknown }).run !== signed.input.run)
    return `${activity} is about another run`;
  return matchRun({ signed, goal }, activity, request, places);
}

function matchPromotion(
  { input }: SignedPromotion,
  activity: string,
  request: object,
): string | undefined {
  if (activity !== 'promote') return `a promotion has no ${activity}`;
  const { goal: _, ...announced } = input.request;
  const { goal: __, ...wanted } = request as PromoteRequest;
  return isSame(announced, wanted) ? undefined : 'the promotion is not the one that was announced';
}

function matchRun(
  { signed: { input, nonce }, goal }: { readonly signed: SignedRun; readonly goal: string },
  activity: string,
  request: object,
  { copies }: Places,
): string | undefined {
  const { workspace } = request as { readonly workspace?: unknown };
  const inWorkspace = workspace === input.workspace;
  const isLane = (path: unknown): boolean => isBelow(path, `${copies}${sep}${input.run}`);
  const place = (fits: boolean) => (fits ? undefined : `${activity} is in another folder`);
  switch (activity) {
    case 'openWorkspace': {
      const { from, stagedFrom } = request as OpenRequest;
      const { from: origin } = input;
      const announced =
        origin?.tree === undefined ? undefined : { workspace: origin.workspace, tree: origin.tree };
      if (!isSame(from, announced)) return 'the workspace would come from another folder';
      return place(inWorkspace && stagedFrom === input.stagedFrom);
    }
    case 'act': {
      const { approval } = request as ActRequest;
      return place(inWorkspace || isLane(workspace)) ?? matchStanding(approval, nonce, input);
    }
    case 'ensureWorkspace': {
      const { approval } = request as EnsureRequest;
      return place(inWorkspace || isLane(workspace)) ?? matchStanding(approval, nonce, input);
    }
    case 'openLane':
      return place(inWorkspace && isName((request as LaneRequest).lane));
    case 'mergeLane': {
      const { lane, laneWorkspace } = request as MergeRequest;
      return place(inWorkspace && isName(lane) && isLane(laneWorkspace));
    }
    case 'inspectWork':
    case 'closeRun':
      return place(inWorkspace);
    case 'promote': {
      const { by, target, stage, mode } = request as PromoteRequest;
      const fits = target === input.stagedFrom && stage === input.workspace;
      if (by !== 'policy' || mode !== 'patch') return 'a run promotes only as the policy says';
      return place(fits && target !== undefined);
    }
    case 'checkMessages':
      return (request as MessagesRequest).order === nonce
        ? undefined
        : 'the messages are for another run';
    case 'plan':
      return matchModel(request, input.models.planner, goal);
    case 'think':
      return matchModel(request, input.models.executor, goal);
    case 'review':
      return matchModel(request, input.models.reviewer, goal);
    default:
      return `a run has no ${activity}`;
  }
}

/** The operator's standing answer is valid only in its own run. */
function matchStanding(
  approval: ActRequest['approval'],
  nonce: string,
  { approve }: SignedRun['input'],
): string | undefined {
  if (approval?.standing === undefined) return undefined;
  return approval.order === nonce && approve !== 'ask'
    ? undefined
    : 'the standing order is of another run';
}

function matchModel(request: object, announced: ModelChoice, goal: string): string | undefined {
  const wanted = request as { readonly model?: unknown; readonly goal?: unknown };
  if (!isSame(wanted.model, announced)) return 'another model, or another address, is asked';
  return isSameButSecrets(goal, wanted.goal) ? undefined : 'the goal is another one';
}

const isSame = (a: unknown, b: unknown): boolean =>
  a === undefined || b === undefined ? a === b : toCanonical(a) === toCanonical(b);

const placeholder = /\[secret:[\w.-]{1,64}\]/;

/** Secrets that became known later are redacted from what a worker sends: their places may hold anything. */
function isSameButSecrets(announced: string, wanted: unknown): boolean {
  if (announced === wanted) return true;
  if (typeof wanted !== 'string') return false;
  const [first = '', ...rest] = wanted.split(placeholder);
  const last = rest.pop();
  if (last === undefined || !announced.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = announced.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return announced.length - last.length >= at && announced.endsWith(last);
}

/** A plain folder name. */
const isName = (name: unknown): boolean =>
  typeof name === 'string' && /^[\w-][\w.-]{0,99}$/.test(name);

/** Directly in a folder, and written without detours. */
export function isBelow(path: unknown, folder: string): path is string {
  if (typeof path !== 'string' || resolve(path) !== path) return false;
  return path.startsWith(`${folder}${sep}`) && isName(path.slice(folder.length + 1));
}
