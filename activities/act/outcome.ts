/** What a tool came to, and what is told in place of a tool's own words. */
import type { Decision } from '../../policies/action.ts';
import type { Settlement } from '../contract/approval.ts';
import type { GitCheckFailed } from '../sandbox/git/find.ts';
import type { Seen } from './versions.ts';

/** Failures are outcomes too: the model reads them and goes on. */
export interface Outcome {
  readonly ok: boolean;
  /** All the model may see, not yet capped. */
  readonly text: string;
  readonly exitCode?: number;
  /** The whole output where it outgrew memory. */
  readonly whole?: string;
  /** Secrets taken out of `text` already. */
  readonly redacted?: number;
  /** Bytes the tool produced, kept or not. */
  readonly bytes: number;
  readonly changed: readonly string[];
  /** The file whose content the model knows by now. */
  readonly seen?: Seen;
}

/** A link led to a path that is judged otherwise than the one written. Nothing was done. */
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

/** The observation in place of one that a crash swallowed. */
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

/** Nothing is known of what git would do in the workspace now. */
export function toUnchecked({ message }: GitCheckFailed, isReverted: boolean): Outcome {
  const rest = isReverted
    ? ' Its changes were reverted, except in folders that snapshots leave out.'
    : '';
  return failed(
    `The command may have left something in a git folder that makes git start a program, and this could not be ruled out: ${message}${rest} Do not run git in the workspace until this is resolved.`,
  );
}

/** So many files that no snapshot holds are named. */
export const maxLeft = 20;

/** For the model: what is not as it was before the call although the call begins anew. */
export function renderLeft(left: readonly string[]): string {
  if (left.length === 0) return '';
  const named = left.slice(0, maxLeft).join(', ');
  return `[An earlier attempt of this call was interrupted. Its changes were reverted, except in files no snapshot holds: ${named}. Check them before you rely on them.]\n`;
}
