import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TestWorkflowEnvironment } from '@temporalio/testing';

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

export interface TimeSkipping {
  readonly env: TestWorkflowEnvironment;
  stop(): Promise<void>;
}

/** A server whose clock jumps over every wait. Needs Java; Maven too for the first time. */
export async function startTimeSkipping(): Promise<TimeSkipping> {
  const jars = await fetchJars();
  const port = await findFreePort();
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
  try {
    const env = await connect(`127.0.0.1:${port}`, Date.now() + 60_000);
    return {
      env,
      async stop() {
        await env.teardown();
        server.kill('SIGKILL');
      },
    };
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  }
}

async function connect(address: string, deadline: number): Promise<TestWorkflowEnvironment> {
  for (;;) {
    try {
      return await TestWorkflowEnvironment.createFromExistingServer({ address });
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
