/** A real HTTP server that follows a script, with every fault a model server can have. */
import type { IncomingMessage } from 'node:http';
import type { NormalAnswer, NormalRequest } from '../../demo/exchange.ts';
import { WireError } from '../../demo/exchange.ts';
import { startWire } from '../../demo/wire.ts';
import { deliverTurn } from './deliver.ts';
import type { Script, SeenRequest } from './script.ts';
import { createTurns, findRole } from './script.ts';
import type { Turn } from './turns.ts';
import { toAnswer } from './turns.ts';

export interface ModelServerOptions {
  /** Reuses the address of a server that was closed; a free port if absent. */
  readonly port?: number;
  /** False: the server answers 404 to `/v1/responses`. */
  readonly responses?: boolean;
  /** False: the server answers 404 to `/v1/chat/completions`. */
  readonly chat?: boolean;
  /** Requests without `Bearer <apiKey>` get 401. */
  readonly apiKey?: string;
  /** What `GET /v1/models` lists; `scripted` if absent. */
  readonly models?: readonly string[];
  /** False: a request for a JSON schema gets 400, as from older servers. */
  readonly schemas?: boolean;
  /** False: a request with tools gets 400. */
  readonly tools?: boolean;
}

export interface ModelServer {
  /** With `/v1`. */
  readonly baseUrl: string;
  readonly port: number;
  /** Requests for an answer in order of arrival, including those that got a fault. */
  readonly requests: readonly SeenRequest[];
  /** Starts the new script from its beginning with the next request. */
  setScript(script: Script): void;
  /** Destroys open connections; `requests` stays readable. */
  close(): Promise<void>;
}

/** Listens when it resolves. A script that has run out answers 400 and says so. */
export async function startModelServer(
  script: Script,
  options: ModelServerOptions = {},
): Promise<ModelServer> {
  const requests: SeenRequest[] = [];
  const turns = new WeakMap<NormalRequest, Turn>();
  const closing = new AbortController();
  let nextTurn = createTurns(script);

  const wire = await startWire({
    models: options.models ?? ['scripted'],
    port: options.port,
    admit: (incoming) => admit(incoming, options),
    answer: async (request, { headers }) => {
      const seen: SeenRequest = { ...request, role: findRole(request), headers };
      requests.push(seen);
      refuseUnsupported(request, options);
      const turn = nextTurn(seen);
      turns.set(request, turn);
      return toContent(turn);
    },
    deliver: (reply, response, request) => {
      const turn = request === undefined ? undefined : turns.get(request);
      return deliverTurn(turn ?? {}, reply, response, closing.signal);
    },
  });
  return {
    baseUrl: wire.baseUrl,
    port: wire.port,
    requests,
    setScript(next) {
      nextTurn = createTurns(next);
    },
    close() {
      closing.abort();
      return wire.close();
    },
  };
}

function admit({ url = '', headers }: IncomingMessage, options: ModelServerOptions): void {
  const { apiKey, responses = true, chat = true } = options;
  if (apiKey !== undefined && headers.authorization !== `Bearer ${apiKey}`) {
    throw new WireError(401, 'Incorrect API key provided.');
  }
  if (!responses && url.startsWith('/v1/responses')) {
    throw new WireError(404, 'Unexpected endpoint: /v1/responses.');
  }
  if (!chat && url.startsWith('/v1/chat')) {
    throw new WireError(404, 'Unexpected endpoint: /v1/chat/completions.');
  }
}

function refuseUnsupported(request: NormalRequest, options: ModelServerOptions): void {
  if (options.schemas === false && request.schema !== undefined) {
    throw new WireError(400, 'response_format json_schema is not supported by this model.');
  }
  if (options.tools === false && request.tools.length > 0) {
    throw new WireError(400, 'This model does not support tools.');
  }
}

/** @throws WireError for a turn that is an error status. */
function toContent(turn: Turn): NormalAnswer {
  if ('status' in turn) {
    const {
      status,
      message = `Scripted failure ${status}.`,
      retryAfterMs,
      retryAfterSeconds,
    } = turn;
    const headers: Record<string, string> = {};
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
    if (retryAfterMs !== undefined) headers['retry-after-ms'] = String(retryAfterMs);
    throw new WireError(status, message, headers);
  }
  const answer = toAnswer(turn);
  const id = turn.wrongIds === 'empty' ? '' : 'call_same';
  return {
    ...answer,
    usage: turn.usage === undefined ? answer.usage : turn.usage,
    stopped: turn.stopped ?? answer.stopped,
    calls:
      turn.wrongIds === undefined ? answer.calls : answer.calls?.map((call) => ({ ...call, id })),
  };
}
