import type OpenAI from 'openai';
import type {
  ResponseCreateParamsStreaming,
  ResponseInputItem,
} from 'openai/resources/responses/responses';
import type { Listener, Message, ModelAsk, RawReply, ReplyCall } from './conversation.ts';
import { ModelFailure } from './failures.ts';

/** Asks over `/responses`, streaming, nothing stored on the server. @throws ModelFailure when the stream ends without a result. */
export async function askResponses(
  openai: OpenAI,
  ask: ModelAsk,
  { signal, onPiece }: Listener,
): Promise<RawReply> {
  const address = ask.endpoint.baseUrl;
  const stream = await openai.responses.create(toResponsesParams(ask), { signal });
  for await (const event of stream) {
    onPiece(event.type === 'response.output_text.delta' ? event.delta : '');
    if (event.type === 'error') {
      throw new ModelFailure(
        'server',
        address,
        `The model server at ${address} failed: ${event.message}.`,
      );
    }
    if (event.type === 'response.failed') {
      const reason = event.response.error?.message ?? 'no reason given';
      throw new ModelFailure(
        'server',
        address,
        `The model server at ${address} failed: ${reason}.`,
      );
    }
    if (event.type !== 'response.completed' && event.type !== 'response.incomplete') continue;
    const { output, usage } = event.response;
    const calls: ReplyCall[] = [];
    let text = '';
    for (const item of output) {
      if (item.type === 'function_call') {
        calls.push({ id: item.call_id, name: item.name, arguments: item.arguments });
      } else if (item.type === 'message') {
        text += item.content.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
      }
    }
    return {
      text,
      calls,
      finish: event.type === 'response.incomplete' ? 'length' : 'stop',
      ...(usage
        ? { usage: { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens } }
        : {}),
    };
  }
  throw new ModelFailure('cut', address, `The answer of ${address} broke off before its end.`);
}

function toResponsesParams({
  endpoint,
  messages,
  tools,
  schema,
}: ModelAsk): ResponseCreateParamsStreaming {
  return {
    model: endpoint.model,
    stream: true,
    store: false,
    input: messages.flatMap(toItems),
    ...(tools === undefined
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            description,
            parameters,
            strict: false,
          })),
          tool_choice: 'auto' as const,
        }),
    ...(schema === undefined
      ? {}
      : { text: { format: { type: 'json_schema' as const, ...schema, strict: true } } }),
  };
}

function toItems(message: Message): ResponseInputItem[] {
  switch (message.role) {
    case 'system':
    case 'user':
      return [{ role: message.role, content: message.text }];
    case 'tool':
      return [{ type: 'function_call_output', call_id: message.callId, output: message.text }];
    case 'assistant':
      return [
        ...(message.text === '' ? [] : [{ role: 'assistant' as const, content: message.text }]),
        ...message.calls.map((call) => ({
          type: 'function_call' as const,
          call_id: call.id,
          name: call.name,
          arguments: call.arguments,
        })),
      ];
  }
}
