import { createHash } from 'node:crypto';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Observation } from '../contract/act.ts';
import type { Ref } from '../contract/refs.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import { asStored } from '../../policies/secrets/redaction.ts';
import { capText } from '../sandbox/output.ts';
import { toWithheld } from './checks.ts';
import type { Checks } from './checks.ts';
import type { Outcome } from './outcome.ts';

/** Facts about an observation beside the outcome. */
type About = Omit<
  Observation,
  'v' | 'ok' | 'exitCode' | 'seen' | 'text' | 'whole' | 'changed' | 'diff' | 'suspicious'
>;

/** Stores what the model will read of an outcome. Returns it with its ref and any attempts to give orders. */
export async function storeObservation(
  {
    blobs,
    checks,
    foreign,
  }: { readonly blobs: BlobStore; readonly checks: Checks; readonly foreign: boolean },
  outcome: Outcome,
  about: About,
): Promise<{
  readonly ref: Ref;
  readonly text: string;
  /** See ActResult. */
  readonly output: string;
  readonly suspicious: readonly Suspicion[];
}> {
  const { ok, exitCode, changed, diff, seen } = outcome;
  const shown = await toShown(outcome, blobs);
  const found = about.verdict === 'allow' && foreign ? await checks.findInjection(shown.text) : [];
  const suspicious = found ?? [];
  const text = found === undefined ? toWithheld(shown.text) : shown.text;
  const stored: Observation = {
    v: 1,
    ...about,
    ok,
    changed,
    diff,
    text,
    exitCode,
    seen,
    suspicious: suspicious.length === 0 ? undefined : suspicious,
    whole: shown.whole,
  };
  const output = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { ref: await blobs.putJson(stored), text, output, suspicious };
}

/** What the model sees of an outcome, and where the complete output is. */
async function toShown(
  { text, whole }: Outcome,
  blobs: BlobStore,
): Promise<{ text: string; whole?: string }> {
  if (whole !== undefined) return { text, whole };
  const short = capText(text);
  if (short === text) return { text };
  const ref = await blobs.put(text, asStored);
  return { text: capText(text, undefined, ref), whole: ref };
}
