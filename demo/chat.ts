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

const toCall = ({ id, name, args }: Outcome['calls'][number]): object => ({
  id,
  type: 'function',
  function: { name, arguments: args },
});

/** Role first, then content in pieces, then each call: its name, then its arguments in pieces. */
const toDeltas = ({ text, calls }: Outcome): readonly object[] => [
  { role: 'assistant', content: calls.length > 0 && text === '' ? null : '', refusal: null },
  ...splitText(text).map((content) => ({ content })),
  ...calls.flatMap((call, index) => [
    { tool_calls: [{ index, ...toCall({ ...call, args: '' }) }] },
    ...splitText(call.args).map((piece) => ({
      tool_calls: [{ index, function: { arguments: piece } }],
    })),
  ]),
];

export function renderChat(request: NormalRequest, answer: NormalAnswer): Reply {
  const outcome = toOutcome(request, answer);
  const { text, calls, stopped } = outcome;
  const usage = toUsage(outcome.usage);
  const created = Math.floor(Date.now() / 1000);
  const head = { id: createId('chatcmpl'), created, model: request.model };
  const finish_reason = stopped ?? (calls.length > 0 ? 'tool_calls' : 'stop');
  if (!request.stream) {
    const message = {
      role: 'assistant',
      content: calls.length > 0 && text === '' ? null : text,
      refusal: null,
      tool_calls: calls.length === 0 ? undefined : calls.map(toCall),
    };
    const choices = [{ index: 0, message, logprobs: null, finish_reason }];
    return toJsonReply(200, { ...head, object: 'chat.completion', choices, usage });
  }
  const toChunk = (choices: readonly object[], extra: object = {}): string =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...extra })}\n\n`;
  const toDelta = (delta: object, reason: string | null = null): string =>
    toChunk([{ index: 0, delta, logprobs: null, finish_reason: reason }]);
  return toStreamReply([
    ...toDeltas(outcome).map((delta) => toDelta(delta)),
    toDelta({}, finish_reason),
    ...(request.includeUsage && usage !== undefined ? [toChunk([], { usage })] : []),
    'data: [DONE]\n\n',
  ]);
}
