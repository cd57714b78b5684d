/**
 * Process entry in its own network namespace, for a program that reaches Temporal only by host and port: forwards
 * loopback connections to sockets and runs the program, exiting as it does. Arguments: the number of ports, then
 * `port=socket` for each, then the program. Imports almost none of our modules.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { runProgram } from './run-program.ts';

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

runProgram(program, args);
