/** What a person sees before answering: the whole call, and what it would change. */
import { OMIT_HEADERS, createTwoFilesPatch } from 'diff';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { explainCommand } from '../../policies/explain.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import { toRisk } from '../../policies/risk.ts';
import type { Policy } from '../../policies/policy.ts';
import type { ApprovalDetails, ApprovalPart } from '../contract/approval.ts';
import type { Ref } from '../contract/refs.ts';
import type { Registry } from '../../tools/registry.ts';
import { readText } from '../files/files.ts';
import { PathRefused } from '../files/walk.ts';

/** Largest file to diff, in bytes. */
export const maxDiffedBytes = 262_144;

export interface DetailsStore {
  readonly blobs: BlobStore;
  readonly tools: Registry;
}

/** Of the call, with what it would do. */
export function storeDetails(
  store: DetailsStore,
  policy: Policy,
  action: Action,
  decision: Decision,
): Promise<Ref> {
  const parts = action.access.section === 'commands' ? toParts(policy, action) : [];
  return storeShown(store, action, decision, {
    parts: parts.length === 0 ? undefined : parts,
    diff: toDiff(policy, store.tools, action),
  });
}

/** The call, its decision, and whatever else is shown. */
export const storeShown = (
  { blobs, tools }: DetailsStore,
  { tool, args, access, workspace }: Action,
  decision: Decision,
  shown: Pick<ApprovalDetails, 'parts' | 'changes' | 'diff'>,
): Promise<Ref> => {
  const { verdict, rule, reason, effect } = decision;
  const isValid = access.section !== 'form';
  return blobs.putJson({
    v: 1,
    tool,
    args,
    workspace,
    verdict,
    rule,
    reason,
    effect,
    risk: toRisk(decision),
    shown: isValid ? tools.find(tool)?.toShown?.(args) : undefined,
    ...shown,
  } satisfies ApprovalDetails);
};

export const toPatch = (path: string, before: string, after: string): string =>
  createTwoFilesPatch(path, path, before, after, undefined, undefined, {
    context: 3,
    headerOptions: OMIT_HEADERS,
  });

const toParts = (policy: Policy, action: Action): ApprovalPart[] =>
  explainCommand(policy, action).parts.map(({ text, cwd, verdict, rule }) => ({
    text,
    cwd,
    verdict,
    rule,
  }));

const maxShortLines = 200;
const maxShortChars = 20_000;

/** The diff kept of every edit, cut if it is long. Undefined if nothing would change. */
export function toShortDiff(policy: Policy, tools: Registry, action: Action): string | undefined {
  const diff = toDiff(policy, tools, action);
  if (diff === undefined || diff.trim() === '') return undefined;
  const lines = diff.slice(0, maxShortChars).split('\n');
  const isCut = diff.length > maxShortChars || lines.length > maxShortLines;
  return isCut ? `${lines.slice(0, maxShortLines).join('\n')}\n[…]\n` : diff;
}

/** What a file tool would change, as far as can be told in advance. */
function toDiff(
  policy: Policy,
  tools: Registry,
  { tool, args, access, workspace }: Action,
): string | undefined {
  const known = tools.find(tool);
  if (access.section !== 'paths' || known?.toChanged === undefined) return undefined;
  const before = readBefore(policy, workspace, access.path);
  return before === undefined
    ? undefined
    : toPatch(access.path, before, known.toChanged(args, before));
}

/** Empty for a new file; undefined for one that may not be read or is not text. */
function readBefore(policy: Policy, workspace: string, path: string): string | undefined {
  try {
    return readText(workspace, path, {
      maxBytes: maxDiffedBytes,
      authorize: (_, at) => {
        const { verdict, reason } = decidePath(policy, 'read', at);
        if (verdict !== 'allow') throw new PathRefused('policy', reason);
      },
    });
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    return error.code === 'missing' ? '' : undefined;
  }
}
