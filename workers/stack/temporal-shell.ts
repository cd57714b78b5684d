/**
 * Process entry: runs the Temporal CLI against the local stack, in a network namespace if Temporal is behind a socket.
 * Expects the stack's `TEMPORAL_*` in its environment; takes the Temporal CLI's arguments.
 */
import { dirname, join } from 'node:path';
import { toSocketPath } from '../../config/address.ts';
import { readSettings } from '../../config/environment.ts';
import { innerPorts, toNear } from './private-network.ts';
import { runProgram } from './run-program.ts';
import { socketNames } from './sockets.ts';
import { findTemporalCli } from './temporal-cli.ts';

const { TEMPORAL_ADDRESS: address = '', TEMPORAL_CODEC_ENDPOINT: codec = '' } = process.env;
const { cacheDir, temporalCli } = readSettings({ cwd: '/' });
const cli = findTemporalCli({ cacheDir, path: process.env['PATH'] ?? '', temporalCli });
if (cli === undefined) {
  process.stderr.write('The Temporal CLI is not installed. Set AGENT_TEMPORAL_CLI to its path.\n');
  process.exit(69);
}
const args = process.argv.slice(2);
const socket = toSocketPath(address);
const [file, line] =
  socket === undefined
    ? [cli, args]
    : toNear(
        {
          [innerPorts.temporal]: socket,
          [new URL(codec).port]: join(dirname(socket), socketNames.ui),
        },
        cli,
        args,
      );
runProgram(file, line, {
  ...process.env,
  TEMPORAL_ADDRESS: socket === undefined ? address : `127.0.0.1:${innerPorts.temporal}`,
});
