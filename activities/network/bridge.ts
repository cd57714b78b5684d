/**
 * Process entry in a sandbox with network access: accepts connections on a loopback port inside, carries them through
 * the link (descriptor 5), and runs the command with the usual proxy variables set. Exits as the command does. It is
 * alone in its folder there, so it imports none of our modules.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:http2';
import { Socket, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { pipeline } from 'node:stream';

const linkDescriptor = 5;
const local = 'localhost,127.0.0.1,::1';

const link = new Socket({ fd: linkDescriptor });
const session = connect('http://proxy', { createConnection: () => link });
// Without the link there is no network, and the command sees an ordinary network error.
session.on('error', () => session.destroy());

const server = createServer((socket) => {
  socket.on('error', () => socket.destroy());
  if (session.destroyed) return void socket.destroy();
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'proxy' });
  stream.on('error', () => socket.destroy());
  pipeline(socket, stream, socket, () => {
    socket.destroy();
    stream.destroy();
  });
});

server.listen(0, '127.0.0.1', () => {
  const proxy = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'];
  const variables = names.flatMap((name) => [
    [name, proxy],
    [name.toLowerCase(), proxy],
  ]);
  const [file = '', ...args] = process.argv.slice(2);
  const child = spawn(file, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      ...Object.fromEntries(variables),
      NO_PROXY: local,
      no_proxy: local,
      NODE_USE_ENV_PROXY: '1',
    },
  });
  child.on('error', (error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT';
    process.stderr.write(missing ? `${file}: command not found\n` : `${error.message}\n`);
    process.exit(missing ? 127 : 126);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9));
  });
});
