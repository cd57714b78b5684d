/** Answers in the form of `POST /v1/chat/completions`, whole or as a stream of chunks. */
import type { NormalAnswer, NormalRequest } from './exchange.ts';
import type { Outcome, Reply } from './reply.ts';
import { createId, splitText, toJsonReply, toOutcome, toStreamReply } from './reply.ts';

const toUsage = (usage: Outcome['usage']): object | undefined =>
  usage === null
    ? undefined
    : {
        prompt_tokens: usage.inputTokens,
        completion_tokens: usage.outputTokens,
        total_tokens: usage.inputTokens + usage.outputTokens,
      };

const toFinishReason = ({ stopped, calls }: Outcome): string =>
  stopped ?? (calls.length > 0 ? 'tool_calls' : 'stop');

/** Role first, then content in pieces, then each call: its name, then its arguments in pieces. */
function toDeltas({ text, calls }: Outcome): readonly object[] {
  return [
    { role: 'assistant', content: calls.length > 0 && text === '' ? null : '', refusal: null },
    ...splitText(text).map((content) => ({ content })),
    ...calls.flatMap(({ id, name, args }, index) => [
      { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
      ...splitText(args).map((piece) => ({
        tool_calls: [{ index, function: { arguments: piece } }],
      })),
    ]),
  ];
}

const toChoice = (delta: object, reason: string | null): object => ({
  index: 0,
  delta,
  logprobs: null,
  finish_reason: reason,
});

export function renderChat(request: NormalRequest, answer: NormalAnswer): Reply {
  const outcome = toOutcome(request, answer);
  const { text, calls } = outcome;
  const usage = toUsage(outcome.usage);
  const head = {
    id: createId('chatcmpl'),
    created: Math.floor(Date.now() / 1000),
    model: request.model,
  };
  if (!request.stream) {
    const message = {
      role: 'assistant',
      content: calls.length > 0 && text === '' ? null : text,
      refusal: null,
      tool_calls:
        calls.length === 0
          ? undefined
          : calls.map(({ id, name, args }) => ({
              id,
              type: 'function',
              function: { name, arguments: args },
            })),
    };
    const choice = { index: 0, message, logprobs: null, finish_reason: toFinishReason(outcome) };
    return toJsonReply(200, { ...head, object: 'chat.completion', choices: [choice], usage });
  }
  const toEvent = (choices: readonly object[], extra: object = {}): string =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...extra })}\n\n`;
  return toStreamReply([
    ...toDeltas(outcome).map((delta) => toEvent([toChoice(delta, null)])),
    toEvent([toChoice({}, toFinishReason(outcome))]),
    ...(request.includeUsage && usage !== undefined ? [toEvent([], { usage })] : []),
    'data: [DONE]\n\n',
  ]);
}
