/** Process entry of a worker: settings, dependencies, a task queue per role, graceful stop. */
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { followApprovers } from '../audit/record/keys/approvers.ts';
import { removeLeftBlobs } from '../audit/record/blobs.ts';
import { createOrderLedger } from '../audit/record/keys/order-ledger.ts';
import { readSettings } from '../config/environment.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import { toQueues } from '../workflows/names.ts';
import {
  createAudit,
  createMessageSide,
  createModelSide,
  createWorkspaceSide,
  messageNames,
  modelNames,
  toActivities,
  workspaceNames,
} from './activities.ts';
import { readBundle } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import { exitForConfiguration } from './configuration.ts';
import { connectPatiently } from './connection.ts';
import { readConnectionOptions } from './connection-options.ts';
import { createDataConverter } from './data-converter.ts';
import { createKeyring } from './keyring.ts';
import { createLogger, toSdkLogger } from './logger.ts';
import { maskFailures } from './mask-failures.ts';
import { connectNative } from './native-connection.ts';
import { noteOpenTasks } from './open-tasks.ts';
import { createOpenCheck } from './open-runs.ts';
import { announcedOnly } from './orders.ts';
import { openPolicyInForce } from './policy.ts';
import { recover } from './recover.ts';
import { parseRoles } from './roles.ts';
import { endSameFailures } from './same-failure.ts';
import { addSearchAttributes } from './search-attributes.ts';
import { createSecrets } from './secrets.ts';

const supervised = process.send !== undefined;
const settings = readSettings();
const secrets = createSecrets(process.env, settings.secrets?.split(','));
const { redactor } = secrets;
const log = createLogger('worker', undefined, redactor);
const roles = parseRoles(process.env['AGENT_WORKER_ROLES']);
const keyring = createKeyring(settings);
if (settings.apiKey !== undefined)
  redactor.add([{ name: 'OPENAI_API_KEY', value: settings.apiKey }]);
process.on('message', (message) => {
  secrets.accept(message);
  keyring.accept(message);
});
const dataConverter = readDataConverter();
prepareStateFolder(settings.folders.root);
removeLeftBlobs(settings.folders.blobs);

Runtime.install({
  logger: toSdkLogger(log),
  shutdownSignals: [],
  telemetryOptions: {
    logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
  },
});

const address = await readConnectionOptions(settings, supervised);
// Connects while this process loads its code.
const [connection, bundle] = await Promise.all([
  connectPatiently(connectNative, address, log),
  roles.has('run') ? readBundle(settings.cacheDir, dataConverter) : undefined,
]);
// A dead predecessor's tasks are handed out again and are queued by the time this process polls.
void recover(connection, settings, log);

function readDataConverter(): ReturnType<typeof createDataConverter> {
  try {
    return createDataConverter(settings, redactor);
  } catch (error) {
    return exitForConfiguration(error);
  }
}

const { folders } = settings;
const queues = toQueues(settings.queue, settings.host);
const audit = createAudit(settings, redactor);
const approvers = followApprovers(settings.approvers, (why) => log.warn({ why }, 'approvers'));
const announced = announcedOnly({
  service: connection.workflowService,
  namespace: settings.temporalNamespace,
  queues,
  audit,
  codecs: dataConverter.payloadCodecs ?? [],
  approvers,
  approversFile: settings.approvers,
  ledger: createOrderLedger(folders.orders),
  places: { copies: join(realpathSync(folders.root), 'copies') },
});
const common = {
  connection,
  namespace: settings.temporalNamespace,
  dataConverter,
  interceptors: {
    activity: [noteOpenTasks(folders.leases), endSameFailures(), maskFailures(redactor), announced],
  },
  shutdownGraceTime: '10s',
  shutdownForceTime: '13s',
  // Cancellation reaches a model call or command with the next heartbeat actually sent.
  maxHeartbeatThrottleInterval: '1s',
  // Two cores, and a person's machine: model servers answer a few at a time, and builds need the rest.
  maxConcurrentActivityTaskExecutions: 4,
} satisfies Partial<WorkerOptions>;

const createRunWorker = ({ codePath }: Bundle): Promise<Worker> =>
  Worker.create({
    ...common,
    taskQueue: queues.run,
    workflowBundle: { codePath },
    activities: toActivities(messageNames, createMessageSide({ audit, approvers })),
    // They are short, and a `cancel` among them should not wait.
    maxConcurrentActivityTaskExecutions: 20,
    // About 1 MB each; other runs are replayed when they continue, which takes milliseconds.
    maxCachedWorkflows: 200,
    // How long a task waits in a dead worker's sticky queue unless that was reset (default 10 s). On a merely slow
    // machine it costs a replay.
    stickyQueueScheduleToStartTimeout: '3s',
  });
const createActivityWorker = (taskQueue: string, activities: object): Promise<Worker> =>
  Worker.create({ ...common, taskQueue, activities });

const starting: Promise<Worker>[] = [];
if (bundle !== undefined) {
  // The workflow thread loads the SDK again. Load the activities' code only once it has started.
  const threadStarted = once(process, 'worker');
  const run = createRunWorker(bundle);
  starting.push(run);
  await Promise.race([threadStarted, run]);
}
if (roles.has('workspace')) {
  const isRunOpen = createOpenCheck(connection.workflowService, settings.temporalNamespace);
  const openPolicy = openPolicyInForce(supervised);
  const side = createWorkspaceSide(settings, { log, redactor, audit, isRunOpen, openPolicy }).catch(
    exitForConfiguration,
  );
  starting.push(createActivityWorker(queues.workspace, toActivities(workspaceNames, side)));
}
if (roles.has('model')) {
  const side = createModelSide(settings, redactor, (baseUrl) => keyring.keyOf(baseUrl));
  starting.push(createActivityWorker(queues.model, toActivities(modelNames, side)));
}
const workers = await Promise.all(starting);
const runs = workers.map((worker) => worker.run());

let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  log.info({}, 'stopping');
  for (const worker of workers) {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  }
};
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
// The supervisor is gone, and nobody else would stop or restart us.
process.on('disconnect', stop);

log.info({ roles: [...roles], queues, bundle: bundle?.sha256 }, 'ready');
process.send?.({ type: 'ready' });
void addSearchAttributes(connection, settings.temporalNamespace, log);

try {
  await Promise.all(runs);
  await connection.close();
  process.exit(0);
} catch (error) {
  log.error({ error }, 'worker failed');
  process.exit(1);
}
