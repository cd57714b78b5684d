import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { msToTs } from '@temporalio/common/lib/time.js';
import { Connection } from '@temporalio/client';
import { InternalConnectionOptionsSymbol } from '@temporalio/client/lib/connection.js';

import { searchAttributes } from '../../workflows/names.ts';

const version = '1.32.1';
const run = promisify(execFile);

/** A port nothing listens on at this moment. */
export const findFreePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Jars of Temporal's test server, fetched once with Maven: the SDK's own download needs the open internet. */
async function fetchJars(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'dev-agent', `temporal-test-server-${version}`);
  if (existsSync(folder) && readdirSync(folder).length > 0) return folder;
  const work = `${folder}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    await writeFile(
      join(work, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
       <groupId>dev-agent</groupId><artifactId>tests</artifactId><version>1</version><dependencies><dependency>
       <groupId>io.temporal</groupId><artifactId>temporal-test-server</artifactId><version>${version}</version>
       </dependency></dependencies></project>`,
    );
    await run(
      'mvn',
      ['-q', 'dependency:copy-dependencies', `-DoutputDirectory=${join(work, 'lib')}`],
      { cwd: work },
    );
    await rename(join(work, 'lib'), folder).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** Numbers of `temporal.api.enums.v1.IndexedValueType`. */
const indexedTypes = { Keyword: 2, Int: 3 } as const;

export interface TimeSkipping {
  readonly address: string;
  /** Lets so much of the server's time pass, at once where nothing is under way. */
  skip(ms: number): Promise<void>;
  /** The server's clock, milliseconds since the epoch. */
  now(): Promise<number>;
  stop(): Promise<void>;
}

/** A server whose clock can jump over waits. Needs Java; Maven too for the first time. */
export async function startTimeSkipping(): Promise<TimeSkipping> {
  const jars = await fetchJars();
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const server = spawn(
    'java',
    [
      '-Xmx256m',
      '-cp',
      join(jars, '*'),
      'io.temporal.testserver.TestServer',
      String(port),
      '--enable-time-skipping',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => server.on('exit', resolve));
  try {
    const connection = await connect(address, Date.now() + 60_000);
    const { testService } = connection;
    if (testService === undefined) throw new Error('The connection has no test service.');
    await connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: Object.fromEntries(
        Object.entries(searchAttributes).map(([name, type]) => [name, indexedTypes[type]]),
      ),
    });
    return {
      address,
      async skip(ms) {
        await testService.unlockTimeSkippingWithSleep({ duration: msToTs(ms) });
      },
      async now() {
        const { time } = await testService.getCurrentTime({});
        return Number(time?.seconds ?? 0) * 1_000;
      },
      async stop() {
        await connection.close();
        server.kill('SIGKILL');
        await ended;
      },
    };
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
}

async function connect(address: string, deadline: number): Promise<Connection> {
  for (;;) {
    try {
      // The SDK's own test environment opens the clock's service by this option too.
      const options = { address, [InternalConnectionOptionsSymbol]: { supportsTestService: true } };
      return await Connection.connect(options);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
