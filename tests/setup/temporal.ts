import { spawn } from 'node:child_process';
import { readSettings } from '../../config/environment.ts';
import { isServing } from '../../workers/stack/serving.ts';
import { fetchTemporalCli, findTemporalCli } from '../../workers/stack/temporal-cli.ts';
import { searchAttributes } from '../../workflows/names.ts';
import { findFreePort } from './time-skipping.ts';
import { waitFor } from './wait-for.ts';

export interface TestTemporal {
  readonly address: string;
  /** Path of the program, for tests that start servers of their own. */
  readonly cli: string;
  readonly stop: () => Promise<void>;
}

/** The one server of a test run: in memory, with the poll rates of the local stack. */
export async function startTemporal(): Promise<TestTemporal> {
  const { cacheDir, temporalCli } = readSettings({ cwd: '/' });
  const search = { cacheDir, path: process.env['PATH'] ?? '', temporalCli };
  const cli = findTemporalCli(search) ?? (await fetchTemporalCli(search, console.log));
  const port = await findFreePort();
  const settings = [
    'history.transferProcessorMaxPollRPS=10000',
    'history.timerProcessorMaxPollRPS=10000',
    'system.enableActivityEagerExecution=true',
    'matching.numTaskqueueReadPartitions=1',
    'matching.numTaskqueueWritePartitions=1',
  ];
  const stop = await startServer(cli, port, [
    '--log-level',
    'error',
    ...settings.flatMap((setting) => ['--dynamic-config-value', setting]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => [
      '--search-attribute',
      `${name}=${type}`,
    ]),
  ]);
  return { address: `127.0.0.1:${port}`, cli, stop };
}

/** Starts a dev server; ready when it answers. Returns how to kill it. */
export async function startServer(
  cli: string,
  port: number,
  options: readonly string[],
): Promise<() => Promise<void>> {
  const basic = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port)];
  const server = spawn(cli, [...basic, ...options], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.on('exit', () => resolve()));
  await waitFor(`Temporal (${cli}) on port ${port}`, () => {
    if (server.exitCode !== null) throw new Error(`Temporal (${cli}) ended.`);
    return isServing(`127.0.0.1:${port}`, 'default');
  });
  return async () => {
    server.kill('SIGKILL');
    await ended;
  };
}
