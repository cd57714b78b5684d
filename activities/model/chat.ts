import type OpenAI from 'openai';
import type {
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type { Listener, Message, ModelAsk, RawReply } from './conversation.ts';
import { ModelFailure } from './failures.ts';

/** Asks over `/chat/completions`, streaming. @throws ModelFailure `cut` when the stream ends before it says so. */
export async function askChat(
  openai: OpenAI,
  ask: ModelAsk,
  { signal, onPiece }: Listener,
): Promise<RawReply> {
  const stream = await openai.chat.completions.create(toChatParams(ask), { signal });
  let text = '';
  let finish: string | null = null;
  let usage: RawReply['usage'];
  const calls: { id: string; name: string; arguments: string }[] = [];
  for await (const chunk of stream) {
    if (chunk.usage) {
      usage = {
        inputTokens: chunk.usage.prompt_tokens,
        outputTokens: chunk.usage.completion_tokens,
      };
    }
    const choice = chunk.choices?.[0];
    onPiece(choice?.delta?.content ?? '');
    if (choice === undefined) continue;
    text += choice.delta?.content ?? '';
    for (const piece of choice.delta?.tool_calls ?? []) {
      // Some servers leave the index out; a new id then starts a new call.
      const fresh =
        piece.id !== undefined && piece.id !== '' && calls.every(({ id }) => id !== piece.id);
      const index = piece.index ?? (fresh ? calls.length : Math.max(calls.length - 1, 0));
      const call = (calls[index] ??= { id: '', name: '', arguments: '' });
      call.id ||= piece.id ?? '';
      call.name += piece.function?.name ?? '';
      call.arguments += piece.function?.arguments ?? '';
    }
    finish = choice.finish_reason ?? finish;
  }
  if (finish === null) {
    throw new ModelFailure(
      'cut',
      ask.endpoint.baseUrl,
      `The answer of ${ask.endpoint.baseUrl} broke off before its end.`,
    );
  }
  return {
    text,
    calls: calls.filter((call) => call !== undefined),
    finish: finish === 'length' ? 'length' : 'stop',
    ...(usage === undefined ? {} : { usage }),
  };
}

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
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            function: { name, description, parameters },
          })),
          tool_choice: 'auto' as const,
        }),
    ...(schema === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema' as const,
            json_schema: { ...schema, strict: true },
          },
        }),
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
        ...(message.calls.length === 0
          ? {}
          : {
              tool_calls: message.calls.map((call) => ({
                id: call.id,
                type: 'function' as const,
                function: { name: call.name, arguments: call.arguments },
              })),
            }),
      };
  }
}
