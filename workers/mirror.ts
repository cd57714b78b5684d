/** Process entry of the mirror: copies every run's history into the state folder. */
import { Connection } from '@temporalio/client';
import { setTimeout } from 'node:timers/promises';
import type { ListService } from '../audit/mirror-all.ts';
import { mirrorAll } from '../audit/mirror-all.ts';
import { readSettings } from '../config/environment.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import { version } from '../config/version.ts';
import { createLogger } from './logger.ts';

const log = createLogger('mirror');
const settings = readSettings();
const { folders, temporalNamespace } = settings;
prepareStateFolder(folders.root);

const stopping = new AbortController();
const stop = (): void => stopping.abort();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
process.on('disconnect', stop);

async function connect(): Promise<Connection> {
  // Alone on a host the mirror may need TLS and keys; in the local stack the address is all there is.
  const options =
    process.send === undefined
      ? (await import('@temporalio/envconfig')).loadClientConnectConfig().connectionOptions
      : {};
  const address = settings.temporalAddress;
  for (;;) {
    try {
      return await Connection.connect({
        ...options,
        ...(address === undefined ? {} : { address }),
      });
    } catch (error) {
      log.warn({ address, reason: (error as Error).message }, 'waiting for Temporal');
      await setTimeout(500);
    }
  }
}

const connection = await connect();
process.send?.({ type: 'ready' });
log.info({ root: folders.root }, 'ready');
const { workflowService } = connection;
// A long poll ends by itself after 20 s; later than that the connection is dead and must be asked anew.
const service: ListService = {
  getWorkflowExecutionHistory: (request) =>
    connection.withAbortSignal(stopping.signal, () =>
      connection.withDeadline(Date.now() + 60_000, () =>
        workflowService.getWorkflowExecutionHistory(request),
      ),
    ),
  listWorkflowExecutions: (request) =>
    connection.withDeadline(Date.now() + 10_000, () =>
      workflowService.listWorkflowExecutions(request),
    ),
};
await mirrorAll({
  service,
  namespace: temporalNamespace,
  root: folders.root,
  inbox: folders.mirror,
  signal: stopping.signal,
  log,
  version,
});
await connection.close();
process.exit(0);
