import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createModelClient } from '../../activities/model/client.ts';
import type { ClientOptions } from '../../activities/model/client.ts';
import type { Message, ModelReply } from '../../activities/model/conversation.ts';
import { ModelFailure, readRetryAfter, toAddress } from '../../activities/model/failures.ts';
import { sendEvents, sendJson, startRawServer, toChunks } from './raw-server.ts';

type Answer = Parameters<typeof startRawServer>[0];

interface Asked {
  readonly result: ModelReply | ModelFailure;
  readonly paths: readonly string[];
  readonly bodies: readonly Record<string, unknown>[];
}

const question: Message = { role: 'user', text: 'Hello?' };
const schema = { name: 'plan', schema: { type: 'object', properties: {} } };

/** Asks `times` times with one client; the last reply or failure counts. */
async function ask(
  answer: Answer,
  options: {
    forceChat?: boolean;
    apiKey?: string;
    messages?: Message[];
    withSchema?: boolean;
    times?: number;
    client?: ClientOptions;
  } = {},
): Promise<Asked> {
  const { forceChat = true, apiKey, messages = [question], times = 1 } = options;
  const server = await startRawServer(answer);
  const client = createModelClient(options.client);
  try {
    let result: ModelReply | ModelFailure | undefined;
    for (let time = 0; time < times; time++) {
      result = await client
        .ask(
          {
            endpoint: { baseUrl: server.baseUrl, model: 'm', forceChat, apiKey },
            messages,
            schema: options.withSchema === true ? schema : undefined,
          },
          { signal: new AbortController().signal, onPiece: () => undefined },
        )
        .catch((error: unknown) => {
          if (error instanceof ModelFailure) return error;
          throw error;
        });
    }
    assert.ok(result !== undefined);
    return { result, paths: server.paths, bodies: server.bodies };
  } finally {
    await server.close();
  }
}

const isReply = (result: ModelReply | ModelFailure): ModelReply => {
  if (result instanceof ModelFailure) throw result;
  return result;
};

const isFailure = (result: ModelReply | ModelFailure): ModelFailure => {
  assert.ok(result instanceof ModelFailure, `a reply came: ${JSON.stringify(result)}`);
  return result;
};

const chatText = (text: string, more: object = {}): unknown[] => [
  { choices: [{ index: 0, delta: { content: text } }] },
  { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], ...more },
];

const piece = (name: string, args: unknown): object => ({ function: { name, arguments: args } });

suite('tool calls put together from pieces', () => {
  const a = '{"path":"a"}';
  const b = '{"path":"b"}';
  const rows: readonly [string, readonly unknown[]][] = [
    [
      'as OpenAI sends them',
      [
        { index: 0, id: 'x', ...piece('read_file', '{"path"') },
        { index: 0, function: { arguments: ':"a"}' } },
        { index: 1, id: 'y', ...piece('read_file', b) },
      ],
    ],
    [
      'interleaved',
      [
        { index: 0, id: 'x', ...piece('read_file', '{"path"') },
        { index: 1, id: 'y', ...piece('read_file', '{"path":') },
        { index: 0, function: { arguments: ':"a"}' } },
        { index: 1, function: { arguments: '"b"}' } },
      ],
    ],
    [
      'without an index',
      [
        { id: 'x', ...piece('read_file', '{"path"') },
        { function: { arguments: ':"a"}' } },
        { id: 'y', ...piece('read_file', b) },
      ],
    ],
    ['without index and id', [piece('read_file', a), piece('read_file', b)]],
    [
      'every call at index 0',
      [
        { index: 0, id: 'x', ...piece('read_file', a) },
        { index: 0, id: 'y', ...piece('read_file', b) },
      ],
    ],
    [
      'the name in every piece',
      [
        { index: 0, id: 'x', ...piece('read_file', '{"path"') },
        { index: 0, id: 'x', ...piece('read_file', ':"a"}') },
        { index: 1, id: 'y', ...piece('read_file', b) },
      ],
    ],
    [
      'arguments as objects',
      [
        { index: 0, id: 'x', ...piece('read_file', { path: 'a' }) },
        { index: 1, id: 'y', ...piece('read_file', { path: 'b' }) },
      ],
    ],
    [
      'with an index far out',
      [
        { index: 0, id: 'x', ...piece('read_file', a) },
        { index: 4_000_000_000, id: 'y', ...piece('read_file', b) },
      ],
    ],
  ];
  for (const [name, deltas] of rows) {
    test(name, async () => {
      const { result } = await ask((response) => sendEvents(response, toChunks(deltas)));
      const { calls } = isReply(result);
      assert.deepEqual(
        calls.map((call) => [call.name, JSON.parse(call.arguments)]),
        [
          ['read_file', { path: 'a' }],
          ['read_file', { path: 'b' }],
        ],
      );
      assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
    });
  }

  test('ids that came before in the conversation are given anew, the same each time', async () => {
    const past: Message[] = [
      question,
      {
        role: 'assistant',
        text: '',
        calls: [{ id: 'call_1', name: 'list_files', arguments: '{}' }],
      },
      { role: 'tool', callId: 'call_1', text: 'nothing' },
    ];
    const chunks = toChunks([
      { index: 0, id: '', ...piece('read_file', a) },
      { index: 1, id: 'call_1', ...piece('read_file', b) },
      { index: 2, id: 'x'.repeat(5_000), ...piece('read_file', b) },
    ]);
    const { result } = await ask((response) => sendEvents(response, chunks), { messages: past });
    const ids = isReply(result).calls.map(({ id }) => id);
    assert.equal(new Set(['call_1', ...ids]).size, 4);
    assert.ok(ids.every((id) => id.length <= 64));
    const again = await ask((response) => sendEvents(response, chunks), { messages: past });
    assert.deepEqual(
      isReply(again.result).calls.map(({ id }) => id),
      ids,
    );
  });
});

suite('what a server may answer', () => {
  test('a whole JSON body though a stream was asked for', async () => {
    const { result } = await ask((response) =>
      sendJson(response, 200, {
        choices: [
          {
            message: {
              content: null,
              tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }],
            },
            finish_reason: 'tool_calls',
          },
        ],
        usage: {
          prompt_tokens: 10,
          completion_tokens: 5,
          prompt_tokens_details: { cached_tokens: 8 },
        },
      }),
    );
    const { calls, usage } = isReply(result);
    assert.deepEqual(calls, [{ id: 'c', name: 'f', arguments: '{}' }]);
    assert.deepEqual(usage, { inputTokens: 10, outputTokens: 5, cachedTokens: 8 });
  });

  test('a whole response body though a stream was asked for', async () => {
    const { result } = await ask(
      (response) =>
        sendJson(response, 200, {
          status: 'completed',
          output: [{ type: 'message', content: [{ type: 'output_text', text: 'Hi.' }] }],
          usage: {
            input_tokens: 10,
            output_tokens: 5,
            total_tokens: 15,
            input_tokens_details: { cached_tokens: 4 },
          },
        }),
      { forceChat: false },
    );
    assert.equal(isReply(result).usage.cachedTokens, 4);
    assert.equal(isReply(result).text, 'Hi.');
    assert.equal(isReply(result).protocol, 'responses');
  });

  test('response items one by one, left out of the last event', async () => {
    const { result } = await ask(
      (response) =>
        sendEvents(response, [
          {
            type: 'response.output_item.done',
            item: { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
          },
          { type: 'response.completed', response: { status: 'completed', output: [] } },
        ]),
      { forceChat: false },
    );
    assert.deepEqual(isReply(result).calls, [{ id: 'c', name: 'f', arguments: '{}' }]);
  });

  for (const [text, clean] of [
    ['<think>hm</think>Yes.', 'Yes.'],
    ['hm, hm</think>\nYes.', 'Yes.'],
    ['<think>never ends', ''],
  ] as const) {
    test(`thinking is left out of ${JSON.stringify(text)}`, async () => {
      const { result } = await ask((response) => sendEvents(response, chatText(text)));
      assert.equal(isReply(result).text, clean);
    });
  }

  test('reasoning beside the text is not the answer', async () => {
    const chunk = { choices: [{ index: 0, delta: { reasoning_content: 'I should …' } }] };
    const { result } = await ask((response) => sendEvents(response, [chunk, ...chatText('')]));
    assert.equal(isReply(result).text, '');
  });

  for (const usage of [undefined, { prompt_tokens: 0, completion_tokens: 0 }]) {
    test(`tokens are estimated when the server counts ${usage === undefined ? 'none' : 'zero'}`, async () => {
      const events = chatText('x'.repeat(400), usage === undefined ? {} : { usage });
      const { result } = await ask((response) => sendEvents(response, events));
      const counted = isReply(result).usage;
      assert.equal(counted.estimated, true);
      assert.ok(counted.outputTokens >= 100, String(counted.outputTokens));
      assert.ok(counted.inputTokens > 0);
    });
  }
});

suite('what a server may do wrong', () => {
  const rows: readonly [string, ModelFailure['kind'], Answer][] = [
    [
      'a web page',
      'not-found',
      (response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>Hi');
      },
    ],
    [
      'an error with status 200',
      'not-found',
      (response) =>
        sendJson(response, 200, {
          error: 'Unexpected endpoint or method. (POST /v1/x). Returning 200 anyway',
        }),
    ],
    [
      'an error in the stream',
      'server',
      (response) =>
        sendEvents(response, [
          ...chatText('a').slice(0, 1),
          { error: { message: 'The model crashed.' } },
        ]),
    ],
    [
      'an overflow told in the stream',
      'context-overflow',
      (response) => sendEvents(response, [{ error: { message: 'n_keep: 9000 >= n_ctx: 4096' } }]),
    ],
    [
      'a stream without an end',
      'cut',
      (response) => sendEvents(response, chatText('half an answer').slice(0, 1)),
    ],
    [
      'a call without an end',
      'cut',
      (response) => {
        const chunks = toChunks([
          { index: 0, id: 'c', function: { name: 'write_file', arguments: '{}' } },
        ]);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`data: ${JSON.stringify(chunks[0])}\n\n`, () => response.destroy());
      },
    ],
    [
      'an event that is not JSON',
      'malformed',
      (response) => {
        response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end('data: {"choices": \n\n');
      },
    ],
    ['JSON that is no answer', 'malformed', (response) => sendJson(response, 200, { ok: true })],
    ['401', 'auth', (response) => sendJson(response, 401, { error: { message: 'No.' } })],
    [
      '404',
      'not-found',
      (response) => sendJson(response, 404, { error: { message: 'No model.' } }),
    ],
    ['429', 'rate-limited', (response) => sendJson(response, 429, { error: { message: 'Slow.' } })],
    ['500', 'server', (response) => sendJson(response, 500, { error: { message: 'Oops.' } })],
    [
      '501',
      'not-found',
      (response) => sendJson(response, 501, { error: { message: 'Not made.' } }),
    ],
    [
      'a redirect',
      'not-found',
      (response) => {
        response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end();
      },
    ],
    ['400', 'bad-request', (response) => sendJson(response, 400, { error: { message: 'No.' } })],
    [
      '400 for a long prompt',
      'context-overflow',
      (response) =>
        sendJson(response, 400, { error: { message: 'maximum context length is 4096 tokens' } }),
    ],
  ];
  for (const [name, kind, answer] of rows) {
    test(`${name} is ${kind}`, async () => {
      const failure = isFailure((await ask(answer)).result);
      assert.equal(failure.kind, kind, failure.message);
      assert.match(failure.message, /http:\/\/127\.0\.0\.1:\d+\/v1/);
    });
  }

  test('silence is a timeout', async () => {
    const { result } = await ask(
      (response) =>
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hm\n\n'),
      { client: { firstPieceMs: 50, silenceMs: 50 } },
    );
    assert.equal(isFailure(result).kind, 'timeout');
  });

  test('a failure does not repeat the key', async () => {
    const apiKey = 'sk-canary-0123456789';
    const { result } = await ask(
      (response, _, { headers }) =>
        sendJson(response, 401, { error: { message: `Wrong: ${headers.authorization}` } }),
      { apiKey },
    );
    assert.ok(!isFailure(result).message.includes(apiKey), isFailure(result).message);
    assert.match(isFailure(result).message, /OPENAI_API_KEY/);
  });

  test('an address is named without its user and password', () => {
    assert.equal(toAddress('http://me:secret@127.0.0.1:1/v1'), 'http://127.0.0.1:1/v1');
    assert.equal(toAddress('http://127.0.0.1:1/v1'), 'http://127.0.0.1:1/v1');
  });

  const now = Date.parse('2026-11-23T00:00:00Z');
  for (const [headers, ms] of [
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': '3', 'retry-after-ms': '250' }, 250],
    [{ 'retry-after': 'Mon, 23 Nov 2026 00:00:05 GMT' }, 5_000],
    [{ 'retry-after': '2026-11-23T00:00:05Z' }, 5_000],
    [{ 'retry-after': '86400' }, 600_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ] as const) {
    test(`${JSON.stringify(headers)} asks to wait ${ms} ms`, () => {
      assert.equal(readRetryAfter(new Headers(headers), now), ms);
    });
  }

  test('where nobody listens, the message says what to start', async () => {
    const server = await startRawServer((response) => response.end());
    await server.close();
    const failure = await createModelClient()
      .ask(
        { endpoint: { baseUrl: server.baseUrl, model: 'm' }, messages: [question] },
        { signal: new AbortController().signal, onPiece: () => undefined },
      )
      .then(
        () => assert.fail('somebody answered'),
        (error: unknown) => error,
      );
    assert.ok(failure instanceof ModelFailure);
    assert.equal(failure.kind, 'unreachable');
    assert.match(failure.message, /lms server start/);
    assert.ok(failure.message.includes(server.baseUrl));
  });
});

suite('which API is spoken', () => {
  const chatOnly =
    (refuse: Answer): Answer =>
    (response, path, incoming, body) =>
      path.endsWith('/responses')
        ? refuse(response, path, incoming, body)
        : sendEvents(response, chatText('Hi.'));
  const refusals: readonly [string, Answer][] = [
    ['404', (response) => sendJson(response, 404, { error: { message: 'Not found' } })],
    ['405', (response) => response.writeHead(405).end()],
    ['501', (response) => response.writeHead(501).end()],
    [
      '200 and an error',
      (response) => sendJson(response, 200, { error: 'Unexpected endpoint or method.' }),
    ],
    [
      'a web page',
      (response) => {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>');
      },
    ],
  ];
  for (const [name, refuse] of refusals) {
    test(`chat, found out once, where /responses answers ${name}`, async () => {
      const { result, paths } = await ask(chatOnly(refuse), { forceChat: false, times: 3 });
      assert.equal(isReply(result).protocol, 'chat');
      assert.equal(paths.filter((path) => path.endsWith('/responses')).length, 1);
    });
  }

  test('chat at once when forced', async () => {
    const { paths } = await ask(chatOnly(() => assert.fail('probed')));
    assert.deepEqual(paths, ['/v1/chat/completions']);
  });

  test('a busy server is not taken for one without the API', async () => {
    const { result, paths } = await ask((response) => response.writeHead(503).end(), {
      forceChat: false,
    });
    assert.equal(isFailure(result).kind, 'server');
    assert.deepEqual(paths, ['/v1/responses']);
  });

  test('a server without JSON schemas gets the schema as text, found out once', async () => {
    const { result, bodies } = await ask(
      (response, path, _, body) => {
        if (path.endsWith('/responses'))
          return sendJson(response, 404, { error: { message: 'no' } });
        if (body['response_format'] !== undefined) {
          return sendJson(response, 400, {
            error: { message: 'response_format is not supported' },
          });
        }
        return sendEvents(response, chatText('{}'));
      },
      { forceChat: false, withSchema: true, times: 2 },
    );
    assert.equal(isReply(result).text, '{}');
    assert.equal(bodies.length, 4);
    assert.match(JSON.stringify(bodies.at(-1)), /JSON schema/);
  });
});
