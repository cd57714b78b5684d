import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WireError } from './exchange.ts';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
const loopback = /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/;

/**
 * Turns down what a web page asks for, by its own name or by one that was pointed here, and whoever does not know the key
 * where there is one.
 */
export const admitPrograms =
  (key: string | undefined) =>
  ({ headers }: IncomingMessage): void => {
    if (!loopback.test(headers.host ?? '')) throw new WireError(403, 'Wrong Host header.');
    if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
      throw new WireError(403, 'Not for web pages.');
    if (key === undefined) return;
    if (!timingSafeEqual(hash(headers.authorization ?? ''), hash(`Bearer ${key}`)))
      throw new WireError(401, 'Wrong or missing key.');
  };
