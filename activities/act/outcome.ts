/** Outcomes of tools, and texts that replace a tool's own. */
import type { Decision } from '../../policies/action.ts';
import type { Settlement } from '../contract/approval.ts';
import type { GitCheckFailed } from '../sandbox/git/find.ts';
import type { Seen } from './versions.ts';

/** Failures are outcomes too: the model reads them and continues. */
export interface Outcome {
  readonly ok: boolean;
  /** Everything the model may see, not yet shortened. */
  readonly text: string;
  readonly exitCode?: number;
  /** The whole output if it outgrew memory. */
  readonly whole?: string;
  /** Secrets already redacted from `text`. */
  readonly redacted?: number;
  /** Bytes the tool produced, kept or not. */
  readonly bytes: number;
  readonly changed: readonly string[];
  /** What a file tool changed, for people. */
  readonly diff?: string;
  /** The file whose content the model now knows. */
  readonly seen?: Seen;
}

/** A link led to a path with a different verdict than the written one. Nothing was done. */
export class Rejudged extends Error {
  override readonly name = 'Rejudged';
  readonly decision: Decision;

  constructor(decision: Decision) {
    super(decision.reason);
    this.decision = decision;
  }
}

export const toOutcome = (text: string, ok = true): Outcome => ({
  ok,
  text,
  bytes: Buffer.byteLength(text),
  changed: [],
});

export const failed = (text: string): Outcome => toOutcome(text, false);

export const refusal = ({ rule, reason }: Decision): Outcome =>
  failed(`Refused (${rule}): ${reason}`);

export const stopped: Outcome = failed(
  'Stopped: the run was cancelled, and the changes of this call were reverted.',
);

/** Replaces an observation lost in a crash. */
export function toSettled({ what, by, reason }: Settlement): Outcome {
  const why = reason === undefined || reason === '' ? '' : ` (${reason})`;
  return what === 'happened'
    ? toOutcome(
        `The worker was stopped while this ran; its output is lost. ${by} says that it happened${why}. Do not run it again; check its effects if you need to.`,
      )
    : failed(
        `The worker was stopped while this ran. ${by} says that it did not happen${why}. The workspace is as it was before; run it again if you still need it.`,
      );
}

/** What git would do in the workspace is now unknown. */
export function toUnchecked({ message }: GitCheckFailed, isReverted: boolean): Outcome {
  const rest = isReverted
    ? ' Its changes were reverted, except in folders that snapshots leave out.'
    : '';
  return failed(
    `The command may have left something in a git folder that makes git start a program, and this could not be ruled out: ${message}${rest} Do not run git in the workspace until this is resolved.`,
  );
}

/** Maximum number of uncovered files listed. */
export const maxLeft = 20;

/** For the model: what differs from before although the call starts over. */
export function renderLeft(left: readonly string[]): string {
  if (left.length === 0) return '';
  const named = left.slice(0, maxLeft).join(', ');
  return `[An earlier attempt of this call was interrupted. Its changes were reverted, except in files no snapshot holds: ${named}. Check them before you rely on them.]\n`;
}
