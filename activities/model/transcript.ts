import type { BlobStore } from '../../audit/blobs.ts';
import type { Observation, Ref } from '../contract.ts';
import type { Message, ReplyCall } from './conversation.ts';
import { estimateTokens } from './conversation.ts';

/** One turn of a step's conversation. Segments are linked, so a turn stores only what it adds. */
export interface Segment {
  readonly v: 1;
  readonly parent?: Ref;
  readonly messages: readonly Message[];
  /** Checked arguments of the last message's calls, in their order: what `act` carries out. */
  readonly args: readonly Readonly<Record<string, unknown>>[];
}

const mostCached = 500;

/** Reads and stores segments; the last few hundred stay in memory, parsed. */
export function createTranscripts(blobs: BlobStore) {
  const cache = new Map<Ref, Segment>();
  const keep = (ref: Ref, segment: Segment): Segment => {
    cache.delete(ref);
    cache.set(ref, segment);
    const oldest = cache.keys().next().value;
    if (cache.size > mostCached && oldest !== undefined) cache.delete(oldest);
    return segment;
  };
  const read = async (ref: Ref): Promise<Segment> =>
    keep(ref, cache.get(ref) ?? (await blobs.getJson<Segment>(ref)));

  return {
    /** Every message of the conversation, oldest first. */
    async read(ref: Ref | undefined): Promise<Message[]> {
      const segments: Segment[] = [];
      for (let next = ref; next !== undefined;) {
        const segment = await read(next);
        segments.push(segment);
        next = segment.parent;
      }
      return segments.toReversed().flatMap((segment) => segment.messages);
    },
    async store(segment: Segment): Promise<Ref> {
      const ref = await blobs.putJson(segment);
      keep(ref, segment);
      return ref;
    },
  };
}

export type Transcripts = ReturnType<typeof createTranscripts>;

/**
 * Answers to the calls of the last turn, each exactly once: servers refuse a conversation with a call left open.
 * Control calls are answered by the engine, and a call that was not run says so.
 */
export function toToolMessages(
  calls: readonly ReplyCall[],
  observations: readonly Observation[],
): Message[] {
  const byCall = new Map(observations.map((observation) => [observation.call, observation]));
  return calls.map(({ id, name }) => {
    const observation = byCall.get(id);
    if (observation !== undefined)
      return { role: 'tool', callId: id, text: toToolText(observation) };
    if (name === 'ask_human')
      return { role: 'tool', callId: id, text: 'The person answers below.' };
    if (name === 'finish_step')
      return {
        role: 'tool',
        callId: id,
        text: 'The reviewer did not accept the step yet; see below.',
      };
    return { role: 'tool', callId: id, text: 'This call was not run.' };
  });
}

/** Results are data with an origin; instructions found in them are none of ours. */
function toToolText({ tool, preview, ok, verdict, text }: Observation): string {
  const state = verdict === 'deny' ? 'refused' : ok ? 'ok' : 'failed';
  return `<result tool="${tool}" of="${preview.replaceAll('"', "'")}" state="${state}">\n${text}\n</result>`;
}

const shortened = 400;

/**
 * Shortens the oldest tool results until the conversation fits. Oldest first and always by the same cut, so that the
 * beginning of the prompt stays the same from turn to turn and a local server can reuse what it has computed.
 */
export function fitToContext(messages: readonly Message[], contextTokens: number): Message[] {
  const budget = Math.floor(contextTokens * 0.75);
  let total = messages.reduce((sum, message) => sum + tokensOf(message), 0);
  return messages.map((message, index) => {
    const recent = index >= messages.length - 6;
    if (total <= budget || recent || message.role !== 'tool' || message.text.length <= shortened)
      return message;
    const cut = {
      ...message,
      text: `${message.text.slice(0, shortened)}\n[shortened: ${message.text.length - shortened} characters of an earlier result left out; call the tool again if you need them]`,
    };
    total -= tokensOf(message) - tokensOf(cut);
    return cut;
  });
}

const tokensOf = (message: Message): number =>
  estimateTokens(
    message.role === 'assistant' ? message.text + JSON.stringify(message.calls) : message.text,
  );
