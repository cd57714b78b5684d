import { ClientError } from './errors.ts';

/** The result of asking a model server for its models. */
export type ModelServer =
  | { readonly kind: 'up'; readonly models: readonly string[]; readonly ms: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'away'; readonly reason: string };

const answerWithinMs = 10_000;
const maxBodyChars = 1_000_000;

/** Asks `<baseUrl>/models`. Any answer but a refused key counts as up: not every server has that endpoint. */
export async function askModelServer(
  baseUrl: string,
  apiKey: string | undefined,
): Promise<ModelServer> {
  const started = performance.now();
  try {
    const { status, body } = await get(`${baseUrl}/models`, apiKey);
    if (status === 401 || status === 403) return { kind: 'refused', status };
    return { kind: 'up', models: parseModels(body), ms: Math.round(performance.now() - started) };
  } catch (error) {
    return { kind: 'away', reason: toReason(error as NodeJS.ErrnoException) };
  }
}

/** Not fetch: loading it would double the startup time of `agent run`. Follows no redirects. */
function get(
  address: string,
  apiKey: string | undefined,
): Promise<{ readonly status: number; readonly body: string }> {
  const url = new URL(address);
  const { request } =
    url.protocol === 'https:'
      ? process.getBuiltinModule('node:https')
      : process.getBuiltinModule('node:http');
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      agent: false,
      signal: AbortSignal.timeout(answerWithinMs),
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        if (body.length < maxBodyChars) body += text;
        else asked.destroy();
      });
      response.on('error', reject);
      response.on('close', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.end();
  });
}

function parseModels(body: string): string[] {
  try {
    const { data } = JSON.parse(body) as { data?: { id?: unknown }[] };
    return (data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  } catch {
    return []; // The server is there; it just does not list its models.
  }
}

function toReason({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'AbortError') return `no answer in ${answerWithinMs / 1000} s`;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown';
  return message === '' ? (code ?? 'it cannot be reached') : message;
}

/** @throws ClientError if no server answers, or it refuses the key. */
export async function requireModelServer(
  baseUrl: string,
  apiKey: string | undefined,
): Promise<void> {
  const server = await askModelServer(baseUrl, apiKey);
  if (server.kind === 'away') {
    throw new ClientError(
      `No model server answers at ${baseUrl}: ${server.reason}.\n` +
        '  LM Studio:        lms server start\n' +
        '  another server:   OPENAI_BASE_URL=http://host:port/v1 agent run …\n' +
        '  without a model:  agent run --demo …',
      'unavailable',
    );
  }
  if (server.kind === 'refused') {
    const key = apiKey === undefined ? 'wants a key' : 'refuses the key in OPENAI_API_KEY';
    throw new ClientError(
      `The model server at ${baseUrl} ${key} (HTTP ${server.status}). Set OPENAI_API_KEY to one it accepts.`,
      'configuration',
    );
  }
}
