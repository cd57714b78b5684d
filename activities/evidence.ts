import type { BlobStore } from '../audit/record/blobs.ts';
import type { Observation } from './contract/act.ts';
import type { Ref } from './contract/refs.ts';

/**
 * Observations after `until` (all if absent), oldest first. The worker that acted chains them: the executor can append,
 * never change them.
 */
export async function readEvidence(
  blobs: BlobStore,
  head: Ref | undefined,
  until?: Ref,
): Promise<Observation[]> {
  const chain: Observation[] = [];
  for (let next = head; next !== undefined && next !== until;) {
    const observation = await blobs.getJson<Observation>(next);
    chain.push(observation);
    next = observation.previous;
  }
  return chain.toReversed();
}
