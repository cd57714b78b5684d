/**
 * Process entry in a network of its own, for a program that knows Temporal by host and port only: takes connections on the
 * loopback interface in there, carries each to its socket, and runs the program. Ends as the program does.
 * Arguments: how many ports, then `port=socket` each, then the program. It imports nothing of ours.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { constants } from 'node:os';
import { pipeline } from 'node:stream';

const [count = '0', ...rest] = process.argv.slice(2);
const pairs = rest.slice(0, Number(count));
const [program = '', ...args] = rest.slice(Number(count));

await Promise.all(
  pairs.map(async (pair) => {
    const [port, path = ''] = pair.split(/=(.*)/s);
    const server = createServer((near) => {
      const far = connect({ path });
      pipeline(near, far, near, () => {
        near.destroy();
        far.destroy();
      });
    });
    await once(server.listen(Number(port), '127.0.0.1'), 'listening');
  }),
);

const child = spawn(program, args, { stdio: 'inherit' });
// Ctrl-C reaches the program by itself; it decides when to end.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exit(126);
});
child.on('exit', (code, signal) =>
  process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']),
);
