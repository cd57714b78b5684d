/** Every fault of the scripted server, as the official client sees it, in both protocols. */
import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import OpenAI, { APIConnectionError, RateLimitError } from 'openai';
import type { ModelServer, ModelServerOptions } from '../model-server/server.ts';
import { startModelServer } from '../model-server/server.ts';
import type { Script } from '../model-server/script.ts';
import { waitFor } from '../setup/wait-for.ts';

const open: ModelServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function start(script: Script, options?: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(script, options);
  open.push(server);
  return server;
}

const tools = [
  { type: 'function', function: { name: 'read_file', parameters: { type: 'object' } } },
] as const;

interface Answer {
  readonly text: string;
  readonly calls: readonly { id: string; name: string; args: string }[];
  readonly tokens: number | undefined;
}

type Ask = (
  server: ModelServer,
  options?: { apiKey?: string; maxRetries?: number },
) => Promise<Answer>;

const createClient = (
  server: ModelServer,
  { apiKey = 'none', maxRetries = 0 }: Parameters<Ask>[1] = {},
): OpenAI => new OpenAI({ baseURL: server.baseUrl, apiKey, maxRetries });

const fromChat = (whole: OpenAI.ChatCompletion): Answer => ({
  text: whole.choices[0]?.message.content ?? '',
  calls: (whole.choices[0]?.message.tool_calls ?? [])
    .filter((call) => call.type === 'function')
    .map(({ id, function: { name, arguments: args } }) => ({ id, name, args })),
  tokens: whole.usage?.total_tokens,
});

const fromResponses = (whole: OpenAI.Responses.Response): Answer => ({
  text: whole.output_text,
  calls: whole.output
    .filter((item) => item.type === 'function_call')
    .map(({ call_id: id, name, arguments: args }) => ({ id, name, args })),
  tokens: whole.usage?.total_tokens,
});

const chat = {
  model: 'scripted',
  messages: [{ role: 'user' as const, content: 'Go on.' }],
  tools: [...tools],
};
const responses = {
  model: 'scripted',
  input: 'Go on.',
  tools: [{ type: 'function' as const, name: 'read_file', parameters: {}, strict: false }],
};

/** Raw stream events, so that what the server sent is seen and not what a helper makes of it. */
const asks: readonly (readonly [name: string, streams: boolean, ask: Ask])[] = [
  [
    'chat',
    false,
    async (server, options) =>
      fromChat(await createClient(server, options).chat.completions.create(chat)),
  ],
  [
    'chat, streamed',
    true,
    async (server, options) => {
      const stream = await createClient(server, options).chat.completions.create({
        ...chat,
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = '';
      let tokens: number | undefined;
      const calls: { id: string; name: string; args: string }[] = [];
      for await (const { choices, usage } of stream) {
        tokens = usage?.total_tokens ?? tokens;
        text += choices[0]?.delta.content ?? '';
        for (const { index, id, function: part } of choices[0]?.delta.tool_calls ?? []) {
          const call = (calls[index] ??= { id: id ?? '', name: part?.name ?? '', args: '' });
          call.args += part?.arguments ?? '';
        }
      }
      return { text, calls, tokens };
    },
  ],
  [
    'responses',
    false,
    async (server, options) =>
      fromResponses(await createClient(server, options).responses.create(responses)),
  ],
  [
    'responses, streamed',
    true,
    async (server, options) => {
      const stream = await createClient(server, options).responses.create({
        ...responses,
        stream: true,
      });
      for await (const event of stream) {
        if (event.type === 'response.completed') {
          const text = event.response.output
            .flatMap((item) => (item.type === 'message' ? item.content : []))
            .map((part) => (part.type === 'output_text' ? part.text : ''))
            .join('');
          return { ...fromResponses(event.response), text };
        }
      }
      throw new Error('The stream ended without response.completed.');
    },
  ],
];

for (const [name, streams, ask] of asks) {
  suite(name, () => {
    test('an error status reaches the client with its message', async () => {
      const server = await start([{ status: 500, message: 'GPU on fire' }, { status: 404 }]);
      await assert.rejects(ask(server), { status: 500, message: /GPU on fire/ });
      await assert.rejects(ask(server), { status: 404 });
    });

    test('429 says when to come back, in seconds or milliseconds', async () => {
      const server = await start([
        { status: 429, retryAfterSeconds: 7 },
        { status: 429, retryAfterMs: 20 },
      ]);
      await assert.rejects(ask(server), (error: RateLimitError) => {
        assert.equal(error.headers.get('retry-after'), '7');
        return error.status === 429;
      });
      await assert.rejects(ask(server), (error: RateLimitError) => {
        assert.equal(error.headers.get('retry-after-ms'), '20');
        return error instanceof RateLimitError;
      });
    });

    test('the client that retries after 429 gets the next turn', async () => {
      const server = await start([{ status: 429, retryAfterMs: 1 }, { text: 'here' }]);
      assert.equal((await ask(server, { maxRetries: 1 })).text, 'here');
      assert.equal(server.requests.length, 2);
    });

    test('a late and a stalled answer are whole in the end', async () => {
      const server = await start([
        { text: 'late', delayMs: 30 },
        { text: 'stalled', stallMs: 30 },
        { delayMs: 1 },
        { text: 'after a delay of its own' },
      ]);
      assert.equal((await ask(server)).text, 'late');
      assert.equal((await ask(server)).text, 'stalled');
      assert.equal((await ask(server)).text, 'after a delay of its own');
    });

    test('a socket closed before the first byte is a connection error', async () => {
      const server = await start([{ cut: 'start' }]);
      await assert.rejects(ask(server), APIConnectionError);
      assert.equal(server.requests.length, 1);
    });

    test('a socket closed half-way never passes for an answer', async () => {
      const server = await start([
        { cut: 'stream' },
        { call: [], text: 'x'.repeat(500), cut: 'stream' },
      ]);
      await assert.rejects(ask(server), Error);
      await assert.rejects(ask(server), Error);
    });

    test('broken JSON is an error', async () => {
      const server = await start([{ malformedJson: true }]);
      await assert.rejects(ask(server), SyntaxError);
    });

    test('a web page with status 200 gives no answer', async () => {
      const server = await start([{ html: 200 }]);
      const outcome = await ask(server).then(
        ({ text }) => text,
        (error: Error) => error,
      );
      assert.ok(outcome === '' || outcome instanceof Error, String(outcome));
    });

    test('a web page with an error status is an error', async () => {
      const server = await start([{ html: 502 }]);
      await assert.rejects(ask(server), { status: 502 });
    });

    test('calls with broken arguments or an unknown tool arrive as they are', async () => {
      const server = await start([{ malformedCall: 'arguments' }, { malformedCall: 'tool' }]);
      const [broken] = (await ask(server)).calls;
      assert.equal(broken?.name, 'read_file');
      assert.throws(() => JSON.parse(broken.args) as unknown, SyntaxError);
      const [unknown] = (await ask(server)).calls;
      assert.equal(unknown?.name, 'launch_rocket');
    });

    test('ids of calls can be alike or missing', async () => {
      const call = [
        { name: 'read_file', args: { path: 'a' } },
        { name: 'read_file', args: { path: 'b' } },
      ];
      const server = await start([
        { call, wrongIds: 'same' },
        { call, wrongIds: 'empty' },
        { call },
      ]);
      const ids = async (): Promise<string[]> => (await ask(server)).calls.map(({ id }) => id);
      assert.deepEqual(await ids(), ['call_same', 'call_same']);
      assert.deepEqual(await ids(), ['', '']);
      assert.equal(new Set(await ids()).size, 2);
    });

    test('an empty answer has neither text nor calls', async () => {
      const { text, calls } = await ask(await start([{ empty: true }]));
      assert.deepEqual({ text, calls }, { text: '', calls: [] });
    });

    test('usage can be missing or given', async () => {
      const server = await start([
        { text: 'a', usage: null },
        { text: 'a', usage: { inputTokens: 40, outputTokens: 2 } },
      ]);
      assert.equal((await ask(server)).tokens, undefined);
      assert.equal((await ask(server)).tokens, 42);
    });

    test('without this API the server answers 404', async () => {
      const server = await start([], { [name.startsWith('chat') ? 'chat' : 'responses']: false });
      await assert.rejects(ask(server), { status: 404 });
      assert.equal(server.requests.length, 0);
    });

    test('a wrong key is 401, the right one is let in', async () => {
      const server = await start([{ text: 'in' }], { apiKey: 'secret' });
      await assert.rejects(ask(server, { apiKey: 'guess' }), { status: 401 });
      assert.equal((await ask(server, { apiKey: 'secret' })).text, 'in');
      assert.equal(server.requests[0]?.headers['authorization'], 'Bearer secret');
    });

    test('requests are recorded as they were understood', async () => {
      const server = await start([{ text: 'in' }]);
      await ask(server);
      const [request] = server.requests;
      assert.equal(request?.stream, streams);
      assert.equal(request.role, 'executor');
      assert.deepEqual(request.messages, [{ role: 'user', text: 'Go on.' }]);
    });
  });
}

test('a server comes back at the same port with a new script', async () => {
  const [, , ask] = asks[0] ?? assert.fail();
  const first = await start([{ text: 'one' }]);
  assert.equal((await ask(first)).text, 'one');
  await first.close();
  await assert.rejects(ask(first), APIConnectionError);
  const second = await start([{ text: 'two' }], { port: first.port });
  assert.equal(second.baseUrl, first.baseUrl);
  assert.equal((await ask(first)).text, 'two');
  second.setScript([{ text: 'three' }]);
  assert.equal((await ask(first)).text, 'three');
});

test('closing does not wait for a delayed answer', async () => {
  const [, , ask] = asks[0] ?? assert.fail();
  const server = await start([{ delayMs: 3_600_000, text: 'never' }]);
  const asked = assert.rejects(ask(server), APIConnectionError);
  await waitFor('the request', () => server.requests.length > 0);
  await server.close();
  await asked;
});

test('a list that is used up says so instead of guessing', async () => {
  const [, , ask] = asks[0] ?? assert.fail();
  const server = await start([]);
  await assert.rejects(ask(server), { status: 400, message: /no turn 1/ });
});

test('servers without schemas or tools refuse them', async () => {
  const server = await start([], { schemas: false, tools: false });
  const client = createClient(server);
  await assert.rejects(client.chat.completions.create(chat), { status: 400, message: /tools/ });
  await assert.rejects(
    client.chat.completions.create({
      model: 'scripted',
      messages: chat.messages,
      response_format: { type: 'json_schema', json_schema: { name: 'plan', schema: {} } },
    }),
    { status: 400, message: /json_schema/ },
  );
});
