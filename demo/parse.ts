/** Request bodies of both protocols → one form. Lenient where servers are: unknown fields are ignored. */
import type { NormalMessage, NormalRequest, PastCall, ToolSpec } from './exchange.ts';
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
  if (toText(body['model']) === '') {
    throw new WireError(400, 'You must provide a model parameter: the name of a model as text.');
  }
  return body;
}

function parseChatMessage(value: unknown, index: number): NormalMessage {
  const message = toFields(value);
  const role = message['role'];
  const text = toContent(message['content']);
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', text };
    case 'user':
      return { role: 'user', text };
    case 'assistant': {
      const calls = toList(message['tool_calls']).map((item): PastCall => {
        const call = toFields(item);
        const { name, arguments: args } = toFields(call['function']);
        return { id: toText(call['id']), name: toText(name), args: toText(args) };
      });
      return { role: 'assistant', text, calls };
    }
    case 'tool':
      return { role: 'tool', callId: toText(message['tool_call_id']), text };
    default:
      throw new WireError(
        400,
        `messages[${index}].role is ${JSON.stringify(role)}; expected system, developer, user, assistant or tool.`,
      );
  }
}

/** @throws WireError 400 naming the field that is wrong. */
export function parseChat(text: string): NormalRequest {
  const body = parseBody(text);
  const messages = toList(body['messages']).map(parseChatMessage);
  if (messages.length === 0) throw new WireError(400, 'messages must be a list with a message.');
  const format = toFields(body['response_format']);
  const schema = toText(toFields(format['json_schema'])['name']);
  return {
    api: 'chat',
    model: toText(body['model']),
    stream: body['stream'] === true,
    messages,
    tools: toList(body['tools']).map((item): ToolSpec => toTool(toFields(item)['function'])),
    schema: schema === '' ? undefined : schema,
    json: format['type'] === 'json_schema' || format['type'] === 'json_object',
    includeUsage: toFields(body['stream_options'])['include_usage'] === true,
    body,
  };
}

function toTool(value: unknown): ToolSpec {
  const { name, description, parameters } = toFields(value);
  return { name: toText(name), description: toText(description), parameters };
}

/** Items of one assistant turn arrive one by one: texts and calls in a row are one message. */
function addInputItem(messages: NormalMessage[], value: unknown, index: number): void {
  const item = toFields(value);
  switch (item['type'] ?? 'message') {
    case 'message': {
      const role = item['role'];
      const text = toContent(item['content']);
      if (role === 'user') messages.push({ role, text });
      else if (role === 'system' || role === 'developer') messages.push({ role: 'system', text });
      else if (role === 'assistant') addAssistant(messages, text, []);
      else throw new WireError(400, `input[${index}].role is ${JSON.stringify(role)}.`);
      return;
    }
    case 'function_call': {
      const { call_id: id, name, arguments: args } = item;
      const call = { id: toText(id), name: toText(name), args: toText(args) };
      addAssistant(messages, '', [call]);
      return;
    }
    case 'function_call_output':
      messages.push({
        role: 'tool',
        callId: toText(item['call_id']),
        text: toContent(item['output']),
      });
      return;
    case 'reasoning':
      return;
    default:
      throw new WireError(400, `input[${index}].type ${JSON.stringify(item['type'])} is unknown.`);
  }
}

function addAssistant(messages: NormalMessage[], text: string, calls: readonly PastCall[]): void {
  const last = messages.at(-1);
  if (last?.role !== 'assistant' || (text !== '' && last.calls.length > 0)) {
    messages.push({ role: 'assistant', text, calls });
    return;
  }
  messages[messages.length - 1] = {
    role: 'assistant',
    text: last.text + text,
    calls: [...last.calls, ...calls],
  };
}

/** @throws WireError 400 naming the field that is wrong, or when the server is asked to remember. */
export function parseResponses(text: string): NormalRequest {
  const body = parseBody(text);
  if (toText(body['previous_response_id']) !== '') {
    throw new WireError(
      400,
      'previous_response_id is not supported: this server keeps nothing. Send the whole conversation as input.',
    );
  }
  const messages: NormalMessage[] = [];
  if (typeof body['instructions'] === 'string') {
    messages.push({ role: 'system', text: body['instructions'] });
  }
  if (typeof body['input'] === 'string') messages.push({ role: 'user', text: body['input'] });
  else toList(body['input']).forEach((item, index) => addInputItem(messages, item, index));
  if (messages.length === 0) throw new WireError(400, 'input must be text or a list of items.');
  const format = toFields(toFields(body['text'])['format']);
  const schema = toText(format['name']);
  return {
    api: 'responses',
    model: toText(body['model']),
    stream: body['stream'] === true,
    messages,
    tools: toList(body['tools']).map(toTool),
    schema: schema === '' ? undefined : schema,
    json: format['type'] === 'json_schema' || format['type'] === 'json_object',
    includeUsage: true,
    body,
  };
}
