import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Registry } from '../../tools/registry.ts';
import type { Observation } from '../contract/act.ts';
import type { Ref } from '../contract/refs.ts';
import type { Message, ReplyCall } from './conversation.ts';
import { estimateTokens } from './conversation.ts';
import { cutInFrame, toFrame } from './frame.ts';

/** One turn of a step's conversation. Segments are linked, so a turn stores only what it adds. */
export interface Segment {
  readonly v: 1;
  readonly parent?: Ref;
  readonly messages: readonly Message[];
  /** Checked arguments of the last message's calls, in order, for `act`. */
  readonly args: readonly Readonly<Record<string, unknown>>[];
}

const maxCached = 500;

/** Reads and stores segments; the last few hundred stay parsed in memory. */
export function createTranscripts(blobs: BlobStore) {
  const cache = new Map<Ref, Segment>();
  const keep = (ref: Ref, segment: Segment): Segment => {
    cache.delete(ref);
    cache.set(ref, segment);
    const oldest = cache.keys().next().value;
    if (cache.size > maxCached && oldest !== undefined) cache.delete(oldest);
    return segment;
  };
  const read = async (ref: Ref): Promise<Segment> =>
    keep(ref, cache.get(ref) ?? (await blobs.getJson<Segment>(ref)));

  return {
    /** All messages of the conversation, oldest first. */
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
 * One result for each call of the last turn: servers reject a conversation with an open call. The engine answers
 * control calls, and a call that was not run says so.
 */
export function toToolMessages(
  tools: Registry,
  calls: readonly ReplyCall[],
  observations: readonly Observation[],
): Message[] {
  const byCall = new Map(observations.map((observation) => [observation.call, observation]));
  return calls.map(({ id, name }) => {
    const observation = byCall.get(id);
    if (observation !== undefined)
      return { role: 'tool', callId: id, text: toToolText(observation) };
    const { reply = 'This call was not run.' } = tools.find(name)?.control ?? {};
    return { role: 'tool', callId: id, text: reply };
  });
}

/** Results are labelled data; instructions in them are not ours. */
function toToolText(observation: Observation): string {
  const { tool, preview, ok, verdict, text, seq, call, time, suspicious = [] } = observation;
  const state = verdict === 'deny' ? 'refused' : ok ? 'ok' : 'failed';
  const kinds = suspicious.map(({ kind }) => kind).join(', ');
  return toFrame({
    name: 'result',
    text,
    seed: `${seq} ${call} ${time}`,
    facts: {
      tool,
      of: preview,
      state,
      warning: kinds === '' ? undefined : `tries to give instructions: ${kinds}`,
    },
  });
}

/** Characters kept of an earlier result, and of a recent one if even those are too long. */
const shortLength = 400;
const recentLength = 3_000;
const recentMessages = 6;

/**
 * Shortens tool results, oldest first, until the conversation fits with room for the answer. Replays that decision
 * message by message, cutting down to half each time: the start of the prompt then rarely changes, and a local server
 * can reuse its cache.
 */
export function fitToContext(messages: readonly Message[], contextTokens: number): Message[] {
  const most = Math.floor(contextTokens * 0.7);
  const fitted: Message[] = [];
  let total = 0;
  const shorten = (end: number, length: number, goal: number): void => {
    for (let index = 0; index < end && total > goal; index++) {
      const [message, whole] = [fitted[index], messages[index]];
      if (message?.role !== 'tool' || message.text.length <= length + 200) continue;
      const text = toShort(whole?.text ?? '', length);
      if (text.length >= message.text.length) continue;
      const short = { ...message, text };
      total -= tokensOf(message) - tokensOf(short);
      fitted[index] = short;
    }
  };
  for (const message of messages) {
    fitted.push(message);
    total += tokensOf(message);
    if (total <= most) continue;
    for (const length of [shortLength, 0])
      shorten(fitted.length - recentMessages, length, most / 2);
    for (const length of [recentLength, shortLength]) shorten(fitted.length, length, most);
  }
  return fitted;
}

const toNotice = (left: number): string =>
  `[shortened: ${left} characters of an earlier result omitted; call the tool again if you need them]`;

/** A shortened result keeps its frame. */
function toShort(text: string, length: number): string {
  const half = Math.floor(length / 2);
  if (half === 0) return toNotice(text.length);
  return cutInFrame(text, (body) =>
    body.length <= length
      ? body
      : `${body.slice(0, half)}\n${toNotice(body.length - 2 * half)}\n${body.slice(-half)}`,
  );
}

const tokensOf = (message: Message): number =>
  estimateTokens(
    message.role === 'assistant' ? message.text + JSON.stringify(message.calls) : message.text,
  );
