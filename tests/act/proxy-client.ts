import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** What a client gets that writes `text` to a proxy. */
export async function speak(proxy: Server, text: string): Promise<string> {
  const listener = createServer({ allowHalfOpen: true }, (socket) =>
    proxy.emit('connection', socket),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  listener.close();
  return answer;
}
