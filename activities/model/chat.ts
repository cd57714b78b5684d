import type OpenAI from 'openai';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import { readBody } from './body.ts';
import type { Listener, Message, ModelAsk, RawReply } from './conversation.ts';
import type { CallDelta } from './deltas.ts';
import { toCached } from './conversation.ts';
import { collectCalls } from './deltas.ts';
import { ModelFailure, toAddress } from './failures.ts';

/** Asks via `/chat/completions`, streaming. @throws ModelFailure `cut` if the stream ends prematurely. */
export async function askChat(
  openai: OpenAI,
  ask: ModelAsk,
  { signal, onPiece }: Listener,
): Promise<RawReply> {
  const address = toAddress(ask.endpoint.baseUrl);
  const response = await openai.chat.completions.create(toChatParams(ask), { signal }).asResponse();
  const body = await readBody<Partial<ChatCompletionChunk>>(response, openai, address);
  if (body.kind === 'whole') return fromWhole(body.whole, address);
  let text = '';
  let finish: string | undefined;
  let usage: RawReply['usage'];
  const calls = collectCalls();
  for await (const chunk of body.events) {
    if (chunk.usage) usage = toUsage(chunk.usage);
    const choice = chunk.choices?.[0];
    const piece = choice?.delta?.content ?? '';
    text += piece;
    onPiece(piece);
    for (const delta of choice?.delta?.tool_calls ?? []) calls.add(delta);
    finish = choice?.finish_reason ?? finish;
  }
  if (finish === undefined) {
    throw new ModelFailure('cut', address, `The answer of ${address} ended early.`);
  }
  return toRaw(text, calls.calls(), finish, usage);
}

/** For servers that do not stream. */
function fromWhole({ choices, usage }: Partial<ChatCompletion>, address: string): RawReply {
  const choice = choices?.[0];
  if (choice?.message === undefined) {
    const message = `The model server at ${address} sent JSON that is not a chat completion.`;
    throw new ModelFailure('malformed', address, message);
  }
  const calls = collectCalls();
  for (const [index, call] of (choice.message.tool_calls ?? []).entries()) {
    calls.add({ ...(call as CallDelta), index });
  }
  return toRaw(
    choice.message.content ?? '',
    calls.calls(),
    choice.finish_reason,
    usage && toUsage(usage),
  );
}

const toUsage = (usage: {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
}): RawReply['usage'] => ({
  inputTokens: usage.prompt_tokens,
  outputTokens: usage.completion_tokens,
  ...toCached(usage.prompt_tokens_details?.cached_tokens),
});

const toRaw = (
  text: string,
  calls: RawReply['calls'],
  reason: string,
  usage: RawReply['usage'],
): RawReply => ({ text, calls, finish: reason === 'length' ? 'length' : 'stop', usage });

function toChatParams({
  endpoint,
  messages,
  tools,
  schema,
}: ModelAsk): ChatCompletionCreateParamsStreaming {
  return {
    model: endpoint.model,
    stream: true,
    stream_options: { include_usage: true },
    messages: messages.map(toChatMessage),
    tools: tools?.map(({ name, description, parameters }) => ({
      type: 'function' as const,
      function: { name, description, parameters },
    })),
    tool_choice: tools === undefined ? undefined : ('auto' as const),
    response_format:
      schema === undefined
        ? undefined
        : { type: 'json_schema' as const, json_schema: { ...schema, strict: true } },
  };
}

function toChatMessage(message: Message): ChatCompletionMessageParam {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.text };
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.text };
    case 'assistant':
      return {
        role: 'assistant',
        content: message.text,
        tool_calls:
          message.calls.length === 0
            ? undefined
            : message.calls.map((call) => ({
                id: call.id,
                type: 'function' as const,
                function: { name: call.name, arguments: call.arguments },
              })),
      };
  }
}
