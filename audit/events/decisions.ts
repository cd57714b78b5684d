/** The decisions of a run, read from its log: each action as judged, and the verdict. */
import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { BlobStore } from '../record/blobs.ts';
import { BlobError } from '../record/blobs.ts';
import { readChain } from '../record/chain.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { createFactReader } from './facts.ts';

export interface PastDecision extends Pick<ActResult, 'verdict' | 'rule'> {
  readonly step: string;
  /** Counts the run's actions from 1. */
  readonly seq: number;
  readonly tool: string;
  /** One line for people. */
  readonly preview: string;
  readonly workspace: string;
  /** sha256 of the deciding bundle. */
  readonly policy: string;
  /** Untrusted text in the conversation. */
  readonly untrusted?: Untrusted;
  /** As the model wrote them; absent if their blob is lost. */
  readonly args?: Readonly<Record<string, unknown>>;
}

/**
 * All decisions in the log, in order. What was asked about appears once, as `ask`: the call following an approval is
 * the person's decision, not the policy's. Undefined if the file has no start of a run.
 */
export async function readDecisions(
  file: string,
  blobs: BlobStore,
): Promise<{ readonly run: string; readonly decisions: readonly PastDecision[] } | undefined> {
  let run: string | undefined;
  const decisions: PastDecision[] = [];
  const readFact = createFactReader();
  for await (const record of readChain(file)) {
    if (record['kind'] !== 'event') continue;
    const fact = readFact(record['event'] as HistoryEventJson);
    if (fact?.kind === 'started') run ??= fact.input?.run;
    if (fact?.kind === 'completed' && fact.name === 'act' && !isAnswered(fact.request))
      decisions.push(await toDecision(fact.request, fact.result, blobs));
  }
  return run === undefined ? undefined : { run, decisions };
}

const isAnswered = ({ approval, settled }: ActRequest): boolean =>
  approval !== undefined || settled !== undefined;

async function toDecision(
  { step, seq, workspace, call, untrusted }: ActRequest,
  { verdict, rule, policy }: ActResult,
  blobs: BlobStore,
): Promise<PastDecision> {
  const { tool, preview } = call;
  const known = { step, seq, tool, preview, workspace, verdict, rule, policy, untrusted };
  try {
    type Segment = { readonly args: readonly Readonly<Record<string, unknown>>[] };
    const args = (await blobs.getJson<Segment>(call.segment)).args[call.index];
    return args === undefined ? known : { ...known, args };
  } catch (error) {
    if (error instanceof BlobError) return known;
    throw error;
  }
}
