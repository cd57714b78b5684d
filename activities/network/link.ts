import { performServerHandshake } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:http';
import { duplexPair, pipeline } from 'node:stream';
import type { Duplex } from 'node:stream';

/**
 * Passes each connection from a sandbox's link to the proxy. The link is one descriptor, the only way out of the
 * sandbox's network; HTTP/2 multiplexes the connections. Ends with the process at the other end.
 */
export function serveLink(link: Duplex, proxy: Server): void {
  link.on('error', () => link.destroy());
  const session = performServerHandshake(link);
  session.on('error', () => session.destroy());
  session.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    // Not the stream itself: when an HTTP server writes text and bytes to one together, the bytes arrive corrupted
    // (Node 24).
    const [near, far] = duplexPair();
    const end = (): void => {
      near.destroy();
      stream.destroy();
    };
    pipeline(stream, far, stream, end);
    near.on('error', end);
    proxy.emit('connection', near);
  });
}
