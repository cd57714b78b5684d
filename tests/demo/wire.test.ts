/** The official client reads what the wire writes, in both protocols, streamed and not. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import OpenAI from 'openai';
import type { NormalAnswer, NormalRequest } from '../../demo/exchange.ts';
import type { WireServer } from '../../demo/wire.ts';
import { startWire } from '../../demo/wire.ts';

let answer: NormalAnswer = {};
const seen: NormalRequest[] = [];
let wire: WireServer;
let client: OpenAI;

before(async () => {
  wire = await startWire({
    models: ['demo', 'family/other'],
    answer: async (request) => {
      seen.push(request);
      return answer;
    },
  });
  client = new OpenAI({ baseURL: wire.baseUrl, apiKey: 'none', maxRetries: 0 });
});
after(() => wire.close());

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const longText = `Grüße 👩‍👩‍👧 \n"quoted" ${'lorem ipsum 🦀 '.repeat(40)}`;
const args = { path: 'a/ü.txt', content: 'line 1\nline "2" 🦀', depth: 3 };
const calls = [
  { name: 'write_file', args },
  { name: 'list_files', args: {} },
];
const tool = {
  name: 'write_file',
  description: 'Writes a file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } } },
  strict: false,
} as const;
const chatTool = { type: 'function', function: tool } as const;
const responsesTool = { type: 'function', ...tool } as const;

suite('chat', () => {
  const messages = [{ role: 'user', content: 'Hello' }] as const;

  test('a whole text answer comes with its reason to end and its counts', async () => {
    answer = { text: longText };
    const whole = await client.chat.completions.create({ model: 'demo', messages: [...messages] });
    assert.equal(whole.choices[0]?.message.content, longText);
    assert.equal(whole.choices[0]?.finish_reason, 'stop');
    assert.equal(whole.choices[0]?.message.tool_calls, undefined);
    assert.equal(whole.model, 'demo');
    const { usage } = whole;
    assert.ok(usage !== undefined && usage.prompt_tokens > 0);
    assert.equal(usage.completion_tokens, Math.ceil(longText.length / 4));
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  });

  test('a streamed text arrives in several pieces that add up, whole characters only', async () => {
    answer = { text: longText };
    const stream = await client.chat.completions.create({
      model: 'demo',
      messages: [...messages],
      stream: true,
    });
    const pieces: string[] = [];
    for await (const { choices } of stream) pieces.push(choices[0]?.delta.content ?? '');
    assert.equal(pieces.join(''), longText);
    assert.ok(pieces.filter((piece) => piece !== '').length > 10);
    for (const piece of pieces) assert.ok(piece.isWellFormed(), JSON.stringify(piece));
  });

  test('a streamed answer with text and two calls is put together by the client', async () => {
    answer = { text: 'Writing.', calls, usage: { inputTokens: 11, outputTokens: 7 } };
    const stream = client.chat.completions.stream({
      model: 'demo',
      messages: [...messages],
      tools: [chatTool],
      stream_options: { include_usage: true },
    });
    const final = await stream.finalChatCompletion();
    const choice = final.choices[0];
    assert.equal(choice?.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, 'Writing.');
    const got = (choice.message.tool_calls ?? []).filter((call) => call.type === 'function');
    assert.deepEqual(
      got.map((call) => [call.function.name, JSON.parse(call.function.arguments) as unknown]),
      calls.map((call) => [call.name, call.args]),
    );
    assert.equal(new Set(got.map(({ id }) => id)).size, 2);
    assert.deepEqual(final.usage, { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 });
  });

  test('without include_usage a stream has no usage; with it the last chunk has nothing else', async () => {
    answer = { text: 'Hi' };
    for (const include_usage of [false, true]) {
      const stream = await client.chat.completions.create({
        model: 'demo',
        messages: [...messages],
        stream: true,
        stream_options: { include_usage },
      });
      const chunks = await collect(stream);
      assert.equal(chunks.filter(({ usage }) => usage != null).length, include_usage ? 1 : 0);
      if (include_usage) assert.deepEqual(chunks.at(-1)?.choices, []);
    }
  });

  test('calls in a whole answer have null content, and an answer cut by the limit says so', async () => {
    answer = { calls };
    const called = await client.chat.completions.create({ model: 'demo', messages: [...messages] });
    assert.equal(called.choices[0]?.message.content, null);
    assert.equal(called.choices[0]?.message.tool_calls?.length, 2);
    answer = { text: 'half a sen', stopped: 'length' };
    const cut = await client.chat.completions.create({ model: 'demo', messages: [...messages] });
    assert.equal(cut.choices[0]?.finish_reason, 'length');
  });

  test('a conversation with tools and a schema is understood', async () => {
    answer = { json: { ok: true } };
    const reply = await client.chat.completions.parse({
      model: 'demo',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Part 1, ' },
            { type: 'text', text: 'part 2' },
          ],
        },
        {
          role: 'assistant',
          content: 'Calling.',
          tool_calls: [
            {
              id: 'c1',
              type: 'function',
              function: { name: 'list_files', arguments: '{"depth":2}' },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'a.txt' },
      ],
      tools: [{ ...chatTool, function: { ...tool, strict: true } }],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'plan', schema: { type: 'object' }, strict: true },
      },
    });
    assert.deepEqual(reply.choices[0]?.message.parsed, { ok: true });
    const request = seen.at(-1);
    assert.equal(request?.schema, 'plan');
    assert.equal(request.json, true);
    assert.deepEqual(request.tools, [{ name: tool.name }]);
    assert.deepEqual(request.messages, [
      { role: 'system', text: 'Be brief.' },
      { role: 'user', text: 'Part 1, part 2' },
      {
        role: 'assistant',
        text: 'Calling.',
        calls: [{ id: 'c1', name: 'list_files', args: '{"depth":2}' }],
      },
      { role: 'tool', callId: 'c1', text: 'a.txt' },
    ]);
  });
});

suite('responses', () => {
  test('a whole answer gives text, calls and counts', async () => {
    answer = { text: longText, calls };
    const whole = await client.responses.create({ model: 'demo', input: 'Hello' });
    assert.equal(whole.output_text, longText);
    assert.equal(whole.status, 'completed');
    const got = whole.output.filter((item) => item.type === 'function_call');
    assert.deepEqual(
      got.map((call) => [call.name, JSON.parse(call.arguments) as unknown]),
      calls.map((call) => [call.name, call.args]),
    );
    const { usage } = whole;
    assert.ok(usage !== undefined && usage.input_tokens > 0 && usage.output_tokens > 0);
    assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
  });

  test('a stream is put together by the client: text in pieces, then both calls', async () => {
    answer = { text: longText, calls };
    const stream = client.responses.stream({
      model: 'demo',
      input: 'Hello',
      tools: [responsesTool],
    });
    const texts: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => texts.push(delta));
    const final = await stream.finalResponse();
    assert.ok(texts.length > 10);
    assert.equal(texts.join(''), longText);
    assert.equal(final.output_text, longText);
    const got = final.output.filter((item) => item.type === 'function_call');
    assert.deepEqual(
      got.map((call) => [call.name, JSON.parse(call.arguments) as unknown]),
      calls.map((call) => [call.name, call.args]),
    );
  });

  test('events come numbered without a gap, in the order of the protocol', async () => {
    answer = { text: 'Hi', calls: [{ name: 'list_files', args: {}, id: 'call_1' }] };
    const stream = await client.responses.create({ model: 'demo', input: 'Hello', stream: true });
    const events = await collect(stream);
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.output_item.added',
        'response.function_call_arguments.delta',
        'response.function_call_arguments.done',
        'response.output_item.done',
        'response.completed',
      ],
    );
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      events.map((_, index) => index),
    );
  });

  test('an answer cut by the limit ends incomplete, whole and streamed', async () => {
    answer = { text: 'half a sen', stopped: 'length' };
    const whole = await client.responses.create({ model: 'demo', input: 'Hello' });
    assert.equal(whole.status, 'incomplete');
    assert.equal(whole.incomplete_details?.reason, 'max_output_tokens');
    const stream = await client.responses.create({ model: 'demo', input: 'Hello', stream: true });
    assert.equal((await collect(stream)).at(-1)?.type, 'response.incomplete');
  });

  test('a conversation is understood: items of one turn are one message', async () => {
    answer = { json: { verdict: 'accept', notes: '' } };
    const reply = await client.responses.parse({
      model: 'demo',
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'Go' }] },
        { type: 'message', role: 'assistant', content: 'Calling.' },
        { type: 'function_call', call_id: 'c1', name: 'a', arguments: '{}' },
        { type: 'function_call', call_id: 'c2', name: 'b', arguments: '{"x":1}' },
        { type: 'function_call_output', call_id: 'c1', output: 'one' },
        {
          type: 'function_call_output',
          call_id: 'c2',
          output: [{ type: 'input_text', text: 'two' }],
        },
        { role: 'assistant', content: 'Done.' },
      ],
      tools: [responsesTool],
      text: { format: { type: 'json_schema', name: 'review', schema: { type: 'object' } } },
    });
    assert.deepEqual(reply.output_parsed, { verdict: 'accept', notes: '' });
    const request = seen.at(-1);
    assert.equal(request?.schema, 'review');
    assert.deepEqual(
      request.tools.map(({ name }) => name),
      ['write_file'],
    );
    assert.deepEqual(request.messages, [
      { role: 'system', text: 'Be brief.' },
      { role: 'user', text: 'Go' },
      {
        role: 'assistant',
        text: 'Calling.',
        calls: [
          { id: 'c1', name: 'a', args: '{}' },
          { id: 'c2', name: 'b', args: '{"x":1}' },
        ],
      },
      { role: 'tool', callId: 'c1', text: 'one' },
      { role: 'tool', callId: 'c2', text: 'two' },
      { role: 'assistant', text: 'Done.', calls: [] },
    ]);
  });

  test('a server that keeps nothing refuses to continue a stored answer', async () => {
    await assert.rejects(
      client.responses.create({ model: 'demo', input: 'Hello', previous_response_id: 'resp_1' }),
      { status: 400, message: /keeps nothing/ },
    );
  });
});

suite('the rest of the wire', () => {
  test('models are listed and found by name', async () => {
    const ids = (await collect(client.models.list())).map(({ id }) => id);
    assert.deepEqual(ids, ['demo', 'family/other']);
    assert.equal((await client.models.retrieve('family/other')).id, 'family/other');
    await assert.rejects(client.models.retrieve('none'), { status: 404, message: /demo/ });
  });

  for (const [what, path, body, status, message] of [
    ['a body that is not JSON', 'chat/completions', '{"model":', 400, /not JSON/],
    ['a body that is a list', 'responses', '[]', 400, /JSON object/],
    ['a request without model', 'chat/completions', '{"messages":[]}', 400, /model/],
    ['no messages', 'chat/completions', '{"model":"m","messages":[]}', 400, /messages/],
    [
      'an unknown role',
      'chat/completions',
      '{"model":"m","messages":[{"role":"x"}]}',
      400,
      /messages\[0\]/,
    ],
    ['no input', 'responses', '{"model":"m"}', 400, /input/],
    ['an unknown item', 'responses', '{"model":"m","input":[{"type":"x"}]}', 400, /input\[0\]/],
    ['an unknown path', 'embeddings', '{"model":"m"}', 404, /POST \/v1\/embeddings/],
  ] as const) {
    test(`${what} is refused with ${status}`, async () => {
      const response = await fetch(`${wire.baseUrl}/${path}`, { method: 'POST', body });
      assert.equal(response.status, status);
      const { error } = (await response.json()) as { error: { message: string; type: string } };
      assert.match(error.message, message);
      assert.equal(error.type, 'invalid_request_error');
    });
  }
});
