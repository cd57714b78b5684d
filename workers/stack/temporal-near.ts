/**
 * Process entry in a network of its own, for a program that knows Temporal by host and port only: takes connections on the
 * loopback interface in there, carries each to its socket, and runs the program. Ends as the program does.
 * Arguments: how many ports, then `port=socket` each, then the program. It loads next to nothing of ours.
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
