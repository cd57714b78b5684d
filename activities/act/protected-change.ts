/** Describes a protected change to the person asked about it and to the model whose command made it. */
import { isUtf8 } from 'node:buffer';
import type { Action, Decision } from '../../policies/action.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Approval, ChangedFile } from '../contract/approval.ts';
import type { Ref } from '../contract/refs.ts';
import { sha256Of } from '../files/regular.ts';
import type { FileEntry } from '../snapshots/difference.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import type { Ended } from './call-notes.ts';
import { maxDiffedBytes, storeShown, toPatch } from './details.ts';
import type { DetailsStore } from './details.ts';
import type { ProtectedChange } from './screen.ts';

const maxNamed = 20;

/** The decision on a command whose change is held back: the first asking rule, and every path. */
export function toDecision(
  asked: readonly ProtectedChange[],
  effect: Decision['effect'],
): Decision {
  const [first] = asked;
  const more =
    asked.length > 1 ? ` So do ${asked.length - 1} more: ${nameAll(asked.slice(1))}.` : '';
  return {
    verdict: 'ask',
    rule: first?.rule ?? 'paths',
    effect,
    reason: `The command has run, and its changes are on hold: ${first?.reason ?? ''}.${more}`,
  };
}

const nameAll = (changes: readonly { readonly path: string }[]): string => {
  const named = changes.slice(0, maxNamed).map(({ path }) => JSON.stringify(path));
  const left = changes.length - named.length;
  return `${named.join(', ')}${left > 0 ? ` and ${left} others` : ''}`;
};

/** What the person sees: the call, each file before and after, and a diff of those they may read. */
export async function storeChange(
  { policy, snapshots, ...store }: DetailsStore & { policy: Policy; snapshots: Snapshots },
  action: Action,
  decision: Decision,
  asked: readonly ProtectedChange[],
): Promise<Ref> {
  const changes: ChangedFile[] = [];
  const hunks: string[] = [];
  for (const { path, before, after, ...change } of asked) {
    const [old, fresh] = [await read(snapshots, before), await read(snapshots, after)];
    const kind = before === undefined ? 'added' : after === undefined ? 'deleted' : 'changed';
    changes.push({
      path,
      kind,
      rule: change.rule,
      mode: fresh === undefined ? undefined : (after?.mode ?? ''),
      bytes: fresh?.length,
      sha256: fresh === undefined ? undefined : sha256Of(fresh),
    });
    const mayRead = decidePath(policy, 'read', path).verdict === 'allow';
    if (mayRead && isShown(old) && isShown(fresh))
      hunks.push(`--- ${path}\n${toPatch(path, toText(old), toText(fresh))}`);
  }
  const diff = hunks.length === 0 ? undefined : hunks.join('');
  return await storeShown(store, action, decision, { changes, diff });
}

const read = async (
  snapshots: Snapshots,
  entry: FileEntry | undefined,
): Promise<Buffer | undefined> =>
  entry === undefined ? undefined : await snapshots.content(entry);

const isShown = (bytes: Buffer | undefined): boolean =>
  bytes === undefined || (bytes.length <= maxDiffedBytes && isUtf8(bytes) && !bytes.includes(0));

const toText = (bytes: Buffer | undefined): string => bytes?.toString('utf8') ?? '';

/** Appended to the command's output for the model; empty if nothing protected was reverted or asked about. */
export function renderEnded({ screened, conflict, answer }: Ended, approval?: Approval): string {
  if (conflict !== undefined)
    return `\n[dev-agent: nothing this command did was applied. While it waited for an answer, the same files were changed by others: ${conflict.slice(0, maxNamed).join(', ')}. Run it again.]\n`;
  if (screened === undefined) return '';
  const lines = renderRefusals(screened.denied);
  if (screened.state === 'asks') {
    const who = approval?.by ?? 'A person';
    const why = approval?.reason ? ` (${approval.reason})` : '';
    lines.push(
      answer === 'approve'
        ? `${who} approved the change of ${nameAll(screened.asked)}${why}.`
        : `${who} denied the change of ${nameAll(screened.asked)}${why}: reverted.`,
    );
  }
  const isLess = screened.denied.length > 0 || answer === 'deny';
  const kept = isLess ? ' Everything else the command did was kept.' : '';
  return `\n[dev-agent: ${lines.join('\n')}${kept}]\n`;
}

/** The same outside runs. */
export const renderWithheld = (denied: readonly ProtectedChange[]): string =>
  `\n[dev-agent: ${renderRefusals(denied).join('\n')}]\n`;

function renderRefusals(denied: readonly ProtectedChange[]): string[] {
  const lines = denied.slice(0, maxNamed).map(toRefusal);
  const left = denied.length - lines.length;
  return left > 0 ? [...lines, `… and ${left} more.`] : lines;
}

const toRefusal = ({ path, rule, reason, covered }: ProtectedChange): string => {
  const asking =
    'It cannot be approved afterwards, because no snapshot covers it: write it with write_file.';
  return `${path} was reverted (${rule}): ${reason}.${covered ? '' : ` ${asking}`}`;
};

/** False if part of the command's change was reverted or not applied: its outcome is not what it seems. */
export const isWhole = ({ screened, conflict, answer }: Ended): boolean =>
  conflict === undefined && (screened?.denied.length ?? 0) === 0 && answer !== 'deny';
