import type OpenAI from 'openai';
import { Stream } from 'openai/core/streaming';
import { ModelFailure, kindOfText } from './failures.ts';

/** The response to a streaming request: events, or one whole answer from servers that do not stream. */
export type Body<T> =
  | { readonly kind: 'events'; readonly events: AsyncIterable<T> }
  | { readonly kind: 'whole'; readonly whole: Readonly<Record<string, unknown>> };

/**
 * Checks a response with status 200: LM Studio answers unknown addresses that way, and a wrong port may return a web
 * page. @throws ModelFailure
 */
export async function readBody<T>(
  response: Response,
  openai: OpenAI,
  address: string,
): Promise<Body<T>> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('html')) {
    await response.body?.cancel();
    throw new ModelFailure(
      'not-found',
      address,
      `The model server at ${address} answered with a web page. Set OPENAI_BASE_URL to the address that ends in /v1.`,
    );
  }
  if (!type.includes('application/json')) {
    return {
      kind: 'events',
      events: Stream.fromSSEResponse<T>(response, new AbortController(), openai),
    };
  }
  const whole: unknown = JSON.parse(await response.text());
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) {
    throw new ModelFailure(
      'malformed',
      address,
      `The model server at ${address} sent JSON that is not an answer.`,
    );
  }
  const problem = (whole as { error?: unknown }).error;
  if (problem !== undefined && problem !== null) {
    const said = (problem as { message?: unknown }).message ?? problem;
    const text = (typeof said === 'string' ? said : JSON.stringify(said)).slice(0, 500);
    throw new ModelFailure(
      kindOfText(text),
      address,
      `The model server at ${address} failed: ${text}`,
    );
  }
  return { kind: 'whole', whole: whole as Readonly<Record<string, unknown>> };
}
