/** Request bodies of both protocols → one form. Lenient where servers are: unknown fields are ignored. */
import type { NormalMessage, NormalRequest, PastCall } from './exchange.ts';
import { WireError } from './exchange.ts';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const toFields = (value: unknown): Fields => (isFields(value) ? value : {});
const toList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const toText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Message content is text or a list of parts; parts without text (images) are left out. */
const toContent = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : toList(value)
        .map((part) => toText(toFields(part)['text']))
        .join('');

function parseBody(text: string): Fields {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (error) {
    throw new WireError(400, `The body is not JSON: ${(error as Error).message}.`);
  }
  if (!isFields(body)) throw new WireError(400, 'The body must be a JSON object.');
  if (toText(body['model']) === '') throw new WireError(400, 'model must be the name of a model.');
  return body;
}

/** The fields that both protocols share, or nearly. */
function toRequest(
  body: Fields,
  format: Fields,
  messages: readonly NormalMessage[],
  includeUsage: boolean,
): NormalRequest {
  return {
    model: toText(body['model']),
    stream: body['stream'] === true,
    messages,
    tools: toList(body['tools'])
      .map(toFields)
      .map((tool) => ({ name: toText(toFields(tool['function'] ?? tool)['name']) })),
    schema: toText(toFields(format['json_schema'] ?? format)['name']) || undefined,
    json: format['type'] === 'json_schema' || format['type'] === 'json_object',
    includeUsage,
    body,
  };
}

function toMessage(
  role: unknown,
  text: string,
  calls: readonly PastCall[],
  place: string,
): NormalMessage {
  if (role === 'system' || role === 'developer') return { role: 'system', text };
  if (role === 'user') return { role, text };
  if (role === 'assistant') return { role, text, calls };
  throw new WireError(
    400,
    `${place}.role is ${JSON.stringify(role)}; expected system, developer, user, assistant or tool.`,
  );
}

function toCall(id: unknown, called: unknown): PastCall {
  const { name, arguments: args } = toFields(called);
  return { id: toText(id), name: toText(name), args: toText(args) };
}

function parseChatMessage(value: unknown, index: number): NormalMessage {
  const message = toFields(value);
  const { role } = message;
  const text = toContent(message['content']);
  if (role === 'tool') return { role, callId: toText(message['tool_call_id']), text };
  const calls = toList(message['tool_calls']).map((item) => {
    const { id, function: called } = toFields(item);
    return toCall(id, called);
  });
  return toMessage(role, text, calls, `messages[${index}]`);
}

/** @throws WireError 400 naming the field that is wrong. */
export function parseChat(text: string): NormalRequest {
  const body = parseBody(text);
  const messages = toList(body['messages']).map(parseChatMessage);
  if (messages.length === 0)
    throw new WireError(400, 'messages must be a list with at least one message.');
  const includeUsage = toFields(body['stream_options'])['include_usage'] === true;
  return toRequest(body, toFields(body['response_format']), messages, includeUsage);
}

function parseItem(value: unknown, index: number): readonly NormalMessage[] {
  const item = toFields(value);
  const { type, role, call_id: id } = item;
  switch (type ?? 'message') {
    case 'message':
      return [toMessage(role, toContent(item['content']), [], `input[${index}]`)];
    case 'function_call':
      return [{ role: 'assistant', text: '', calls: [toCall(id, item)] }];
    case 'function_call_output':
      return [{ role: 'tool', callId: toText(id), text: toContent(item['output']) }];
    case 'reasoning':
      return [];
    default:
      throw new WireError(400, `input[${index}].type ${JSON.stringify(type)} is unknown.`);
  }
}

/** The items of one assistant turn arrive separately: texts and calls in a row are one message. */
function joinTurns(messages: readonly NormalMessage[]): readonly NormalMessage[] {
  const joined: NormalMessage[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    const { role, text } = message;
    if (
      role !== 'assistant' ||
      last?.role !== 'assistant' ||
      (text !== '' && last.calls.length > 0)
    )
      joined.push(message);
    else
      joined.splice(-1, 1, {
        role,
        text: last.text + text,
        calls: [...last.calls, ...message.calls],
      });
  }
  return joined;
}

/** @throws WireError 400 naming the field that is wrong, or when the server is asked to remember. */
export function parseResponses(text: string): NormalRequest {
  const body = parseBody(text);
  const { instructions, input } = body;
  if (toText(body['previous_response_id']) !== '')
    throw new WireError(
      400,
      'previous_response_id is not supported: this server keeps nothing. Send the whole conversation as input.',
    );
  const items = typeof input === 'string' ? [{ role: 'user', content: input }] : toList(input);
  const messages = joinTurns(items.flatMap(parseItem));
  const system =
    typeof instructions === 'string' ? [{ role: 'system', text: instructions } as const] : [];
  const all = [...system, ...messages];
  if (all.length === 0) throw new WireError(400, 'input must be text or a list of items.');
  return toRequest(body, toFields(toFields(body['text'])['format']), all, true);
}
