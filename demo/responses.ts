/** Answers in the form of `POST /v1/responses`, whole or as a stream of typed events. */
import type { NormalAnswer, NormalRequest } from './exchange.ts';
import type { Outcome, Reply } from './reply.ts';
import { createId, splitText, toJsonReply, toOutcome, toStreamReply } from './reply.ts';

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An item of the output with what a stream says between its beginning and its end. */
interface Item {
  readonly whole: { readonly id: string; readonly [field: string]: unknown };
  readonly empty: object;
  readonly middle: readonly Event[];
}

const toPart = (text: string): object => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
});

function toTextItem(text: string, status: string): Item {
  const head = { id: createId('msg'), type: 'message', role: 'assistant' };
  const at = { content_index: 0 };
  return {
    whole: { ...head, status, content: [toPart(text)] },
    empty: { ...head, status: 'in_progress', content: [] },
    middle: [
      { type: 'response.content_part.added', ...at, part: toPart('') },
      ...splitText(text).map((delta) => ({
        type: 'response.output_text.delta',
        ...at,
        delta,
        logprobs: [],
      })),
      { type: 'response.output_text.done', ...at, text, logprobs: [] },
      { type: 'response.content_part.done', ...at, part: toPart(text) },
    ],
  };
}

function toCallItem({ id, name, args }: Outcome['calls'][number], status: string): Item {
  const head = { id: createId('fc'), type: 'function_call', call_id: id, name };
  const type = 'response.function_call_arguments';
  return {
    whole: { ...head, status, arguments: args },
    empty: { ...head, status: 'in_progress', arguments: '' },
    middle: [
      ...splitText(args).map((delta) => ({ type: `${type}.delta`, delta })),
      { type: `${type}.done`, name, arguments: args },
    ],
  };
}

const toItemEvents = ({ whole, empty, middle }: Item, output_index: number): readonly Event[] => [
  { type: 'response.output_item.added', output_index, item: empty },
  ...middle.map((event) => ({ ...event, item_id: whole.id, output_index })),
  { type: 'response.output_item.done', output_index, item: whole },
];

const toUsage = (usage: Outcome['usage']): object | null =>
  usage && {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };

export function renderResponses(request: NormalRequest, answer: NormalAnswer): Reply {
  const { text, calls, stopped, usage } = toOutcome(request, answer);
  const { body, model } = request;
  const status = stopped === undefined ? 'completed' : 'incomplete';
  const items = [
    ...(text === '' && calls.length > 0 ? [] : [toTextItem(text, status)]),
    ...calls.map((call) => toCallItem(call, status)),
  ];
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
  const ended = {
    ...started,
    status,
    incomplete_details: stopped === undefined ? null : { reason: 'max_output_tokens' },
    output: items.map(({ whole }) => whole),
    usage: toUsage(usage),
  };
  if (!request.stream) return toJsonReply(200, ended);
  const events: readonly Event[] = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...items.flatMap(toItemEvents),
    { type: `response.${status}`, response: ended },
  ];
  return toStreamReply(
    events.map(({ type, ...fields }, sequence_number) => {
      const data = JSON.stringify({ type, sequence_number, ...fields });
      return `event: ${type}\ndata: ${data}\n\n`;
    }),
  );
}
