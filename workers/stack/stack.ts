import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { toEnvironment } from '../../config/environment.ts';
import { readMemory, readStartTime, workerFlags } from '../../config/process.ts';
import { readCommit, readVersion } from '../../config/version.ts';
import type { Settings } from '../../config/environment.ts';
import type { StackFile, StackPart, StackStatus } from '../../config/stack.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { SecretValue } from '../../policies/secrets/values.ts';
import { keepAddresses } from './addresses.ts';
import type { Addresses } from './addresses.ts';
import { searchAttributes } from '../../workflows/names.ts';
import { createLogFile } from '../log-file.ts';
import { createPart } from './part.ts';
import type { Part, PartSpec } from './part.ts';
import { toDemo, toProcess, toTemporal } from './parts.ts';
import type { Place } from './place.ts';
import { readProgramVersion } from './temporal-cli.ts';
import { createToken, writePrivate } from '../private-file.ts';

/** The processes of one state folder. */
export interface Stack {
  /** Starts everything but Temporal, which may have to be downloaded first. */
  start(): void;
  /** Starts Temporal with this program; resolves once it answers. */
  startTemporal(cli: string): Promise<void>;
  /** Starts the demo model if needed; resolves with its base URL once it listens. */
  startDemo(): Promise<string>;
  /** Gives the worker and its successors the key for one model server. */
  handKey(baseUrl: string, apiKey: string): void;
  /** Tells the worker and its successors what to redact. */
  handSecrets(values: readonly SecretValue[]): void;
  status(): Promise<StackStatus>;
  /** Restarts Temporal at this place, and its clients if the address changed. */
  moveTemporal(place: Place): Promise<void>;
  /** Rewrites `stack.json`. */
  writeDown(): void;
  /** Stops the worker and its companions, then Temporal. */
  stop(): Promise<void>;
}

/** A running activity gets 10 s to finish; then the worker needs a moment to report it. */
export const workerGraceMs = 15_000;

/** Wires a stack's parts together and records their processes after each change. */
export function createStack(
  settings: Settings,
  { addresses, place: first }: { readonly addresses: Addresses; readonly place: Place },
  redactor: Redactor,
): Stack {
  const { folders } = settings;
  const version = readVersion();
  const commit = readCommit();
  const startTime = readStartTime(process.pid) ?? '';
  const since = new Date().toISOString();
  const environment = toEnvironment(settings);
  let place = first;
  const readEnv = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    ...environment,
    TEMPORAL_ADDRESS: place.address,
    AGENT_HOST: addresses.host,
  });
  const webUi = `http://127.0.0.1:${addresses.webUi}`;
  const demoUrl = `http://127.0.0.1:${addresses.demo}/v1`;
  // Only for our worker and our demo model.
  const demoKey = createToken();
  const keys = new Map([[demoUrl, demoKey]]);
  const secrets = new Map<string, SecretValue>();
  const parts: Part[] = [];
  let demoUsed = addresses.demoUsed;
  let program: string | undefined;
  let temporalVersion: string | undefined;
  let stopped = false;

  const toFile = (): StackFile => ({
    v: 1,
    pid: process.pid,
    startTime,
    version,
    commit,
    temporal: place.address,
    exposed: place.exposed,
    namespace: settings.temporalNamespace,
    webUi,
    webUiKey: place.uiHost === undefined ? undefined : addresses.webKey,
    control: `http://127.0.0.1:${addresses.control}`,
    queue: settings.queue,
    host: addresses.host,
    demo: demoUsed ? demoUrl : undefined,
    parts: parts.flatMap((part) => part.ids().map((id) => ({ ...id, name: part.name }))),
    environment,
  });
  const writeDown = (): void => {
    if (stopped) return;
    try {
      writePrivate(folders.stackFile, JSON.stringify(toFile()));
    } catch {
      // A full disk or a vanished folder: the processes keep running, and the next check retries.
    }
  };

  type Run = Pick<PartSpec, 'spawn' | 'waitForUp'>;
  type More = Pick<PartSpec, 'graceMs'> &
    Partial<Pick<PartSpec, 'onStart' | 'onUp' | 'port' | 'end' | 'readInner'>>;
  const addPart = (name: StackPart['name'], run: Run, more: More): Part => {
    const log = createLogFile(join(folders.logs, `${name}.log`), undefined, redactor);
    const part = createPart({ name, log, onChange: writeDown, ...run, ...more });
    parts.push(part);
    return part;
  };
  const worker = addPart(
    'worker',
    toProcess('workers/main.ts', folders.root, readEnv, workerFlags),
    {
      graceMs: workerGraceMs,
      onStart: () => {
        for (const [baseUrl, apiKey] of keys) worker.send({ type: 'key', baseUrl, apiKey });
        if (secrets.size > 0) worker.send({ type: 'secrets', values: [...secrets.values()] });
      },
      onUp: () => {
        // After the worker, so that the first run does not wait for them.
        mirror.start();
        if (demoUsed) demo.start();
      },
    },
  );
  const mirror = addPart('mirror', toProcess('workers/mirror.ts', folders.root, readEnv), {
    graceMs: 5_000,
  });
  const demo = addPart(
    'demo-model',
    toDemo(addresses.demo, folders.root, { ...readEnv(), DEMO_API_KEY: demoKey }),
    { graceMs: 2_000, port: addresses.demo },
  );
  let temporal: Part | undefined;

  const versionOf = (part: Part): string | undefined =>
    part.name === 'temporal' ? temporalVersion : version;
  const supervisor = (): StackPart => ({
    name: 'supervisor',
    pid: process.pid,
    state: 'up',
    port: addresses.control,
    version,
    memoryBytes: readMemory(process.pid) ?? process.memoryUsage.rss(),
    restarts: 0,
    since,
    log: join(folders.logs, 'supervisor.log'),
  });

  return {
    start() {
      writeDown();
      worker.start();
    },
    async startTemporal(cli) {
      const names = {
        namespace: settings.temporalNamespace,
        attributes: searchAttributes,
        codecEndpoint: settings.payloadKeys === undefined ? undefined : `${webUi}/codec`,
      };
      const toRun = (): ReturnType<typeof toTemporal> =>
        toTemporal(cli, folders.temporalDb, place, names, readEnv());
      const run: ReturnType<typeof toTemporal> = {
        ...toRun(),
        spawn: () => toRun().spawn(),
        waitForUp: (child, signal) => toRun().waitForUp(child, signal),
      };
      program = cli;
      temporal = addPart('temporal', run, {
        ...run,
        graceMs: 10_000,
        port: place.sockets === undefined ? addresses.temporal : undefined,
      });
      temporal.start();
      await temporal.waitForUp();
    },
    async moveTemporal(next) {
      const hasMoved = next.address !== place.address;
      place = next;
      writeDown();
      const concerned = [temporal, ...(hasMoved ? [worker, mirror] : [])];
      await Promise.all(
        concerned.filter((part) => part !== undefined).map((part) => part.restart()),
      );
    },
    writeDown,
    async startDemo() {
      demo.start();
      if (!demoUsed) {
        demoUsed = true;
        keepAddresses(folders.root, { demoUsed });
        writeDown();
      }
      await demo.waitForUp();
      return demoUrl;
    },
    handKey(baseUrl, apiKey) {
      if (keys.get(baseUrl) === apiKey) return;
      keys.set(baseUrl, apiKey);
      redactor.add([{ name: 'OPENAI_API_KEY', value: apiKey }]);
      worker.send({ type: 'key', baseUrl, apiKey });
    },
    handSecrets(values) {
      for (const secret of values) secrets.set(secret.value, secret);
      redactor.add(values);
      worker.send({ type: 'secrets', values });
    },
    async status() {
      // Looked up on demand: at startup it would cost time.
      if (program !== undefined) temporalVersion ??= await readProgramVersion(program);
      const started = parts.filter((part) => part.hasStarted());
      return {
        stack: toFile(),
        parts: [supervisor(), ...started.map((part) => part.view(versionOf(part)))],
      };
    },
    async stop() {
      await Promise.all([worker, mirror, demo].map((part) => part.stop()));
      await temporal?.stop();
      if (place.sockets !== undefined) rmSync(place.sockets, { recursive: true, force: true });
      stopped = true;
    },
  };
}
