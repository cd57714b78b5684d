import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { connectPatiently } from '../../workers/connection.ts';

const log = pino({ level: 'silent' });

for (const host of ['127.0.0.1', '::1']) {
  test(`nothing is tried before somebody listens at ${host}`, async (t) => {
    const server = createServer((socket) => socket.destroy());
    t.after(() => server.close());
    await once(server.listen(0, host), 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    let attempts = 0;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const connected = connectPatiently(
      ({ address: tried }) => {
        attempts += 1;
        // Somebody else listens at first, or Temporal is not ready yet.
        return attempts < 4 ? Promise.reject(new Error('no')) : Promise.resolve(tried);
      },
      { address },
      log,
    );
    await setTimeout(300);
    assert.equal(attempts, 0);
    await once(server.listen(port, host), 'listening');
    assert.equal(await connected, address);
    assert.equal(attempts, 4);
  });
}
