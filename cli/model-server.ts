import { CliError } from './errors.ts';

/** What came of asking a model server for its models. */
export type ModelServer =
  | { readonly kind: 'up'; readonly models: readonly string[]; readonly ms: number }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'away'; readonly reason: string };

const answerWithinMs = 3_000;

/** Asks `<baseUrl>/models`. Any answer but a refused key counts as up: not every server has that page. */
export async function askModelServer(
  baseUrl: string,
  apiKey: string | undefined,
): Promise<ModelServer> {
  const started = performance.now();
  try {
    const response = await fetch(`${baseUrl}/models`, {
      headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(answerWithinMs),
      redirect: 'manual',
    });
    const ms = Math.round(performance.now() - started);
    if (response.status === 401 || response.status === 403) {
      await response.body?.cancel();
      return { kind: 'refused', status: response.status };
    }
    return { kind: 'up', models: await readModels(response), ms };
  } catch (error) {
    return { kind: 'away', reason: toReason(error) };
  }
}

async function readModels(response: Response): Promise<string[]> {
  try {
    const { data } = (await response.json()) as { data?: { id?: unknown }[] };
    return (data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  } catch {
    return []; // The server is there; it just does not list its models.
  }
}

function toReason(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer in ${answerWithinMs / 1000} s`;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown';
  return code ?? (cause as Error | undefined)?.message ?? message;
}

/** @throws CliError exit 69 when no server answers, 78 when it refuses the key. */
export async function requireModelServer(
  baseUrl: string,
  apiKey: string | undefined,
): Promise<void> {
  const server = await askModelServer(baseUrl, apiKey);
  if (server.kind === 'away') {
    throw new CliError(
      `No model server answers at ${baseUrl}: ${server.reason}.\n` +
        '  LM Studio:        lms server start\n' +
        '  another server:   OPENAI_BASE_URL=http://host:port/v1 agent run …\n' +
        '  without a model:  agent run --demo …',
      69,
    );
  }
  if (server.kind === 'refused') {
    const key = apiKey === undefined ? 'wants a key' : 'refuses the key in OPENAI_API_KEY';
    throw new CliError(
      `The model server at ${baseUrl} ${key} (HTTP ${server.status}). Set OPENAI_API_KEY to one it accepts.`,
      78,
    );
  }
}
