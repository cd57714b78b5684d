import type OpenAI from 'openai';
import type {
  Response,
  ResponseCreateParamsStreaming,
  ResponseInputItem,
  ResponseOutputItem,
  ResponseStreamEvent,
  ResponseUsage,
} from 'openai/resources/responses/responses';
import { readBody } from './body.ts';
import type { Listener, Message, ModelAsk, RawReply, ReplyCall } from './conversation.ts';
import { toCached } from './conversation.ts';
import { ModelFailure, kindOfText, toAddress } from './failures.ts';

/**
 * Asks via `/responses`, streaming, storing nothing on the server. @throws ModelFailure if the stream ends without a
 * result.
 */
export async function askResponses(
  openai: OpenAI,
  ask: ModelAsk,
  { signal, onPiece }: Listener,
): Promise<RawReply> {
  const address = toAddress(ask.endpoint.baseUrl);
  const sent = await openai.responses.create(toResponsesParams(ask), { signal }).asResponse();
  const body = await readBody<ResponseStreamEvent>(sent, openai, address);
  if (body.kind === 'whole') return fromResponse(body.whole, [], address);
  // Some servers send items one by one and omit them from the last event.
  const items: ResponseOutputItem[] = [];
  for await (const event of body.events) {
    onPiece(event.type === 'response.output_text.delta' ? event.delta : '');
    if (event.type === 'error') throw toFailure(address, event.message);
    if (event.type === 'response.output_item.done') items.push(event.item);
    if (
      event.type === 'response.completed' ||
      event.type === 'response.incomplete' ||
      event.type === 'response.failed'
    ) {
      return fromResponse(event.response, items, address);
    }
  }
  throw new ModelFailure('cut', address, `The answer of ${address} ended early.`);
}

const toFailure = (address: string, reason = 'no reason given'): ModelFailure =>
  new ModelFailure(
    kindOfText(reason),
    address,
    `The model server at ${address} failed: ${reason.slice(0, 500)}`,
  );

/** @throws ModelFailure if the response reports a failure or is malformed. */
function fromResponse(
  { status, error, output, usage }: Partial<Response>,
  items: readonly ResponseOutputItem[],
  address: string,
): RawReply {
  if (status === 'failed') throw toFailure(address, error?.message);
  if (!Array.isArray(output)) {
    const message = `The model server at ${address} sent JSON that is not a response.`;
    throw new ModelFailure('malformed', address, message);
  }
  const calls: ReplyCall[] = [];
  let text = '';
  for (const item of output.length > 0 ? output : items) {
    if (item.type === 'function_call') {
      calls.push({ id: item.call_id, name: item.name, arguments: item.arguments });
    } else if (item.type === 'message') {
      text += item.content.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
    }
  }
  return {
    text,
    calls,
    finish: status === 'incomplete' ? 'length' : 'stop',
    usage: usage ? toUsage(usage) : undefined,
  };
}

const toUsage = ({
  input_tokens: inputTokens,
  output_tokens: outputTokens,
  input_tokens_details: details,
}: ResponseUsage): NonNullable<RawReply['usage']> => ({
  inputTokens,
  outputTokens,
  // Not every server of this API sends them.
  ...toCached((details as Partial<typeof details> | undefined)?.cached_tokens),
});

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
    tools: tools?.map(({ name, description, parameters }) => ({
      type: 'function' as const,
      name,
      description,
      parameters,
      strict: false,
    })),
    tool_choice: tools === undefined ? undefined : ('auto' as const),
    text:
      schema === undefined
        ? undefined
        : { format: { type: 'json_schema' as const, ...schema, strict: true } },
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
