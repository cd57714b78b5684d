import { readFileSync } from 'node:fs';
import type { SecretValue } from '../../policies/secrets/values.ts';
import type { StackFile, StackStatus } from '../../config/stack.ts';

// An `import` of node:http evaluates every export, one of which loads all of fetch: 50 ms instead of 5.
const { request } = process.getBuiltinModule('node:http');

/** Longest silence of the supervisor, which answers a wait within 20 s. */
const silenceMs = 30_000;

/** Calls the supervisor's control server. @throws Error if it does not answer, or with its message if it refuses. */
export const askControl = <T extends object>(
  stack: StackFile,
  path: string,
  body: object,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const token = readFileSync(stack.tokenFile ?? '', 'utf8').trim();
    const question = request(
      `${stack.control}${path}`,
      { method: 'POST', agent: false, headers: { authorization: `Bearer ${token}` } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          try {
            const answer = JSON.parse(text) as T & { error?: string };
            if (response.statusCode === 200) resolve(answer);
            else reject(new Error(answer.error ?? `HTTP ${response.statusCode}`));
          } catch {
            reject(new Error(`${path} answered with something else than JSON`));
          }
        });
      },
    );
    question.setTimeout(silenceMs, () => question.destroy(new Error('no answer within 30 s')));
    question.on('error', reject);
    question.end(JSON.stringify(body));
  });

/** The parts with pids, ports, versions and memory. */
export const stackStatus = (stack: StackFile): Promise<StackStatus> =>
  askControl<StackStatus>(stack, '/status', {});

/** Gives the worker the key for one model server; kept in memory only. */
export async function handKey(stack: StackFile, baseUrl: string, apiKey: string): Promise<void> {
  await askControl(stack, '/key', { baseUrl, apiKey });
}

/** Tells the worker what to redact; kept in memory only. */
export async function handSecrets(stack: StackFile, values: readonly SecretValue[]): Promise<void> {
  await askControl(stack, '/secrets', { values });
}

/** Starts the demo model server if needed. */
export const startDemo = (stack: StackFile): Promise<{ readonly baseUrl: string }> =>
  askControl(stack, '/demo', {});
