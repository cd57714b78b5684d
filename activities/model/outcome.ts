import { ApplicationFailure } from '@temporalio/common';
import type { ModelOutcome, Usage } from '../contract/model.ts';
import type { Listener, Message, ModelAsk, ModelReply, ReplyCall } from './conversation.ts';
import type { ModelClient } from './client.ts';
import { ModelFailure } from './failures.ts';

/** A checked answer: usable, or the reason to give the model. */
export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export interface Question<T> {
  readonly ask: ModelAsk;
  readonly check: (reply: ModelReply) => Checked<T> | Promise<Checked<T>>;
}

export interface Asking {
  readonly client: ModelClient;
  readonly listener: Listener;
  /** Temporal's attempt, from 1. */
  readonly attempt: number;
}

/** Wrong answers before the model counts as unable. */
const maxTries = 3;
/** Temporal's attempts on a reachable but failing server, before the run visibly waits. */
const maxAttempts = 5;

/**
 * Asks until the answer is usable, returning the reason to the model, at most 3 times. @throws ApplicationFailure if an
 * early retry makes sense (429, 5xx, cut streams), with the server's own delay.
 */
export async function askUntilUsable<T>(
  question: Question<T>,
  asking: Asking,
): Promise<ModelOutcome<T>> {
  let usage: Usage = { inputTokens: 0, outputTokens: 0 };
  let ms = 0;
  let reason = '';
  const added: Message[] = [];
  for (let attempt = 1; attempt <= maxTries; attempt++) {
    let reply: ModelReply;
    try {
      reply = await asking.client.ask(
        { ...question.ask, messages: [...question.ask.messages, ...added] },
        asking.listener,
      );
    } catch (error) {
      if (error instanceof ModelFailure) return toOutcome(error, asking.attempt);
      throw error;
    }
    usage = addUsage(usage, reply.usage);
    ms += reply.ms;
    const checked = reply.finish === 'length' ? cutByLimit : await question.check(reply);
    if (checked.ok) {
      const { model } = question.ask.endpoint;
      return { kind: 'answer', answer: checked.value, usage, model, protocol: reply.protocol, ms };
    }
    ({ reason } = checked);
    added.push(...toCorrection(reply, question.ask.tools !== undefined, reason));
  }
  const { model } = question.ask.endpoint;
  return { kind: 'invalid', reason: `${reason} (${maxTries} tries)`, usage, model, ms };
}

const cutByLimit = {
  ok: false,
  reason: 'The answer was cut off by the token limit. Give a shorter answer, or do less at once.',
} as const;

const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cachedTokens:
    a.cachedTokens === undefined && b.cachedTokens === undefined
      ? undefined
      : (a.cachedTokens ?? 0) + (b.cachedTokens ?? 0),
  estimated: a.estimated === true || b.estimated === true ? true : undefined,
});

/**
 * The model's answer and why it is invalid. A call gets a result like any other, so that the model sees the usual form;
 * broken arguments become `{}`, because servers reject conversations containing them.
 */
function toCorrection({ text, calls }: ModelReply, hasTools: boolean, reason: string): Message[] {
  const said = text.slice(0, 4_000);
  if (hasTools && calls.length > 0) {
    return [
      { role: 'assistant', text: said, calls: calls.map(withWholeArguments) },
      ...calls.map(({ id }) => ({ role: 'tool' as const, callId: id, text: `Not run: ${reason}` })),
    ];
  }
  return [
    { role: 'assistant', text: said === '' ? '(nothing)' : said, calls: [] },
    { role: 'user', text: `That answer cannot be used: ${reason}` },
  ];
}

function withWholeArguments(call: ReplyCall): ReplyCall {
  try {
    JSON.parse(call.arguments);
    return call;
  } catch {
    return { ...call, arguments: '{}' };
  }
}

function toOutcome(failure: ModelFailure, attempt: number): ModelOutcome<never> {
  const { kind, address, message: reason, retryAfterMs } = failure;
  switch (kind) {
    case 'unreachable':
      return { kind: 'unavailable', address, reason };
    case 'auth':
    case 'bad-request':
    case 'not-found':
    case 'context-overflow':
      return { kind: 'refused', address, reason };
    case 'rate-limited':
    case 'server':
    case 'timeout':
    case 'cut':
    case 'malformed':
      if (attempt >= maxAttempts) {
        return { kind: 'unavailable', address, reason, retryAfterMs };
      }
      throw ApplicationFailure.create({
        type: `ModelFailure.${kind}`,
        message: reason,
        nextRetryDelay: retryAfterMs === undefined ? undefined : Math.max(retryAfterMs, 1),
      });
  }
}
