/** What a person is shown before they answer: the whole call, and what it would change. */
import { OMIT_HEADERS, createTwoFilesPatch } from 'diff';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { explainCommand } from '../../policies/explain.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import { toRisk } from '../../policies/risk.ts';
import type { Policy } from '../../policies/policy.ts';
import type { ApprovalDetails, ApprovalPart } from '../contract/approval.ts';
import type { Ref } from '../contract/refs.ts';
import { readText } from '../files/files.ts';
import { PathRefused } from '../files/walk.ts';

/** Longest file of which a diff is made, in bytes. */
const maxDiffedBytes = 262_144;

export async function storeDetails(
  blobs: BlobStore,
  policy: Policy,
  action: Action,
  decision: Decision,
): Promise<Ref> {
  const { tool, args, workspace } = action;
  const { verdict, rule, reason, effect } = decision;
  const parts = tool === 'run_command' ? toParts(policy, action) : [];
  const diff = toDiff(policy, action);
  return await blobs.putJson({
    v: 1,
    tool,
    args,
    workspace,
    verdict,
    rule,
    reason,
    effect,
    risk: toRisk(decision),
    parts: parts.length === 0 ? undefined : parts,
    diff,
  } satisfies ApprovalDetails);
}

const toParts = (policy: Policy, { args, workspace }: Action): ApprovalPart[] =>
  explainCommand(policy, args, workspace).parts.map(({ text, cwd, verdict, rule }) => ({
    text,
    cwd,
    verdict,
    rule,
  }));

/** What a file tool would change, as far as it can be said beforehand. */
function toDiff(policy: Policy, { tool, args, workspace }: Action): string | undefined {
  const path = String(args['path']);
  if (tool !== 'write_file' && tool !== 'edit_file' && tool !== 'delete_file') return undefined;
  const before = readBefore(policy, workspace, path);
  if (before === undefined) return undefined;
  const after = tool === 'write_file' ? String(args['content']) : edit(tool, before, args);
  return createTwoFilesPatch(path, path, before, after, undefined, undefined, {
    context: 3,
    headerOptions: OMIT_HEADERS,
  });
}

const edit = (tool: string, before: string, args: Action['args']): string => {
  const [old, next] = [String(args['old']), String(args['new'])];
  if (tool === 'delete_file') return '';
  return args['all'] === true
    ? before.replaceAll(old, () => next)
    : before.replace(old, () => next);
};

/** Empty for a file that is not there yet; undefined for one nobody may look into, or that is no text. */
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
