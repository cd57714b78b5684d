/** The demo model's process: `node demo/main.ts --port <n>` listens on 127.0.0.1 until it is told to stop. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import { WireError } from './exchange.ts';
import { answerDemo } from './program.ts';
import { startWire } from './wire.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const port = Number(values.port);
if (values.port.trim() === '' || !Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`--port must be a number from 0 (any free port) to 65535, got "${values.port}".`);
  process.exit(2);
}

const key = process.env['DEMO_API_KEY'];
const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Refuses web pages, whatever name they reach this port by, and callers without the key if there is one. */
function admit({ headers }: IncomingMessage): void {
  if (!/^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(headers.host ?? ''))
    throw new WireError(403, 'Wrong Host header.');
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
    throw new WireError(403, 'Not for web pages.');
  const given = hash(headers.authorization ?? '');
  if (key !== undefined && !timingSafeEqual(given, hash(`Bearer ${key}`)))
    throw new WireError(401, 'Wrong or missing key.');
}

const wire = await startWire({ port, models: ['demo'], answer: answerDemo, admit }).catch(
  (error: NodeJS.ErrnoException) => {
    console.error(
      `The demo model cannot listen on 127.0.0.1, port ${port}: ${error.code ?? error.message}. Choose another --port, or 0 for a free one.`,
    );
    process.exit(1);
  },
);
console.log(JSON.stringify({ port: wire.port }));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void wire.close());
