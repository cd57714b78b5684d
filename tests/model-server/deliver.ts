/** Sends a reply as its turn says: late, cut, broken, or as a web page. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../../demo/reply.ts';
import { sendReply } from '../../demo/wire.ts';
import type { Turn } from './turns.ts';

/** Waiting fails when `closing` fires; the socket is gone by then anyway. */
export async function deliverTurn(
  turn: Turn,
  reply: Reply,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const wait = (ms: number): Promise<void> => sleep(ms, undefined, { signal: closing });
  if (turn.delayMs !== undefined) await wait(turn.delayMs);
  if ('html' in turn) {
    await sendReply(toPage(turn.html), response);
    return;
  }
  const whole = turn.malformedJson === true ? breakJson(reply) : reply;
  if (turn.cut === undefined && turn.stallMs === undefined) {
    await sendReply(whole, response);
    return;
  }
  if (turn.cut === 'start') {
    response.destroy();
    return;
  }
  const [first, second] = toHalves(whole.chunks);
  response.writeHead(whole.status, whole.headers);
  await writeAll(first, response);
  if (turn.stallMs !== undefined) await wait(turn.stallMs);
  if (turn.cut === 'stream') {
    response.destroy();
    return;
  }
  await writeAll(second, response);
  response.end();
}

const writeAll = (chunks: readonly string[], response: ServerResponse): Promise<void> =>
  new Promise((resolve, reject) => {
    response.write(chunks.join(''), (error) => (error ? reject(error) : resolve()));
  });

const toPage = (status: number): Reply => ({
  status,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  chunks: ['<!doctype html><title>Welcome</title><h1>It works!</h1>'],
});

/** Halves a stream between events, a single body in its middle. */
function toHalves(chunks: readonly string[]): readonly [readonly string[], readonly string[]] {
  if (chunks.length > 1) {
    const middle = Math.floor(chunks.length / 2);
    return [chunks.slice(0, middle), chunks.slice(middle)];
  }
  const body = chunks.join('');
  const middle = Math.floor(body.length / 2);
  return [[body.slice(0, middle)], [body.slice(middle)]];
}

function breakJson(reply: Reply): Reply {
  const [first, second] = toHalves(reply.chunks);
  const broken = reply.chunks.length > 1 ? 'data: {"id": "broken", \n\n' : '"}<';
  return { ...reply, chunks: [...first, broken, ...(reply.chunks.length > 1 ? second : [])] };
}
