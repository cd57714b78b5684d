/** Answers in the form of `POST /v1/responses`, whole or as a stream of typed events. */
import type { NormalAnswer, NormalRequest } from './exchange.ts';
import type { Outcome, Reply } from './reply.ts';
import { createId, splitText, toJsonReply, toOutcome, toStreamReply } from './reply.ts';

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

interface MessageItem {
  readonly id: string;
  readonly type: 'message';
  readonly role: 'assistant';
  readonly status: string;
  readonly content: readonly TextPart[];
}

interface TextPart {
  readonly type: 'output_text';
  readonly text: string;
  readonly annotations: readonly never[];
  readonly logprobs: readonly never[];
}

interface CallItem {
  readonly id: string;
  readonly type: 'function_call';
  readonly status: string;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
}

const toPart = (text: string): TextPart => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
});

function toItems({ text, calls, stopped }: Outcome): readonly (MessageItem | CallItem)[] {
  const status = stopped === undefined ? 'completed' : 'incomplete';
  const message: MessageItem = {
    id: createId('msg'),
    type: 'message',
    role: 'assistant',
    status,
    content: [toPart(text)],
  };
  return [
    ...(text === '' && calls.length > 0 ? [] : [message]),
    ...calls.map(({ id, name, args }): CallItem => ({
      id: createId('fc'),
      type: 'function_call',
      status,
      call_id: id,
      name,
      arguments: args,
    })),
  ];
}

const toUsage = (usage: Outcome['usage']): object | null =>
  usage === null
    ? null
    : {
        input_tokens: usage.inputTokens,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: usage.outputTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: usage.inputTokens + usage.outputTokens,
      };

function toItemEvents(item: MessageItem | CallItem, index: number): readonly Event[] {
  const place = { item_id: item.id, output_index: index };
  const frame = (started: object, middle: readonly Event[]): readonly Event[] => [
    { type: 'response.output_item.added', output_index: index, item: started },
    ...middle,
    { type: 'response.output_item.done', output_index: index, item },
  ];
  if (item.type === 'function_call') {
    return frame({ ...item, status: 'in_progress', arguments: '' }, [
      ...splitText(item.arguments).map((delta) => ({
        type: 'response.function_call_arguments.delta',
        ...place,
        delta,
      })),
      {
        type: 'response.function_call_arguments.done',
        ...place,
        name: item.name,
        arguments: item.arguments,
      },
    ]);
  }
  return frame(
    { ...item, status: 'in_progress', content: [] },
    item.content.flatMap((part, content_index) => {
      const at = { ...place, content_index };
      return [
        { type: 'response.content_part.added', ...at, part: toPart('') },
        ...splitText(part.text).map((delta) => ({
          type: 'response.output_text.delta',
          ...at,
          delta,
          logprobs: [],
        })),
        { type: 'response.output_text.done', ...at, text: part.text, logprobs: [] },
        { type: 'response.content_part.done', ...at, part },
      ];
    }),
  );
}

export function renderResponses(request: NormalRequest, answer: NormalAnswer): Reply {
  const outcome = toOutcome(request, answer);
  const output = toItems(outcome);
  const { body, model } = request;
  const started = {
    id: createId('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    instructions: body['instructions'] ?? null,
    metadata: body['metadata'] ?? {},
    model,
    output: [],
    parallel_tool_calls: body['parallel_tool_calls'] ?? true,
    previous_response_id: null,
    store: false,
    temperature: body['temperature'] ?? 1,
    text: body['text'] ?? { format: { type: 'text' } },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: body['tools'] ?? [],
    top_p: body['top_p'] ?? 1,
    truncation: 'disabled',
    usage: null,
  };
  const isCut = outcome.stopped !== undefined;
  const ended = {
    ...started,
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output,
    usage: toUsage(outcome.usage),
  };
  if (!request.stream) return toJsonReply(200, ended);
  const events: readonly Event[] = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...output.flatMap(toItemEvents),
    { type: isCut ? 'response.incomplete' : 'response.completed', response: ended },
  ];
  return toStreamReply(
    events.map(({ type, ...fields }, sequence_number) => {
      const data = JSON.stringify({ type, sequence_number, ...fields });
      return `event: ${type}\ndata: ${data}\n\n`;
    }),
  );
}
