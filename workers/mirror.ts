/** Process entry of the mirror: copies every run's history into its chained file until told to stop. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pruneAnswers } from '../activities/model/answers.ts';
import { pruneSpool } from '../activities/model/spool.ts';
import { createAnchors } from '../audit/record/anchors/anchors.ts';
import { mirrorAll } from '../audit/mirror/mirror-all.ts';
import { abortWith } from '../audit/mirror/polls.ts';
import { graceMs, keepSwept } from '../audit/record/sweep.ts';
import { connectTemporal } from '../client/connection.ts';
import { readSettings } from '../config/environment.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import { readVersion } from '../config/version.ts';
import { connectPatiently } from './connection.ts';
import { readConnectionOptions } from './connection-options.ts';
import { createLogger } from './logger.ts';
import { pruneSnapshots } from './prune.ts';

const { version: sdk } = createRequire(import.meta.url)('@temporalio/client/package.json') as {
  version: string;
};
const log = createLogger('mirror');
const settings = readSettings();
const { folders } = settings;
prepareStateFolder(folders.root);

const stopping = new AbortController();
const { signal } = stopping;
for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.abort());
// The supervisor is gone; the next one starts its own mirror.
process.on('disconnect', () => stopping.abort());

const options = await readConnectionOptions(settings, process.send !== undefined);
const connection = await connectPatiently(connectTemporal, options, log);
process.send?.({ type: 'ready' });
log.info({ root: folders.root }, 'ready');

void keepSwept({ root: folders.root, signal, log }, async (closed) => {
  await pruneAnswers(join(folders.root, 'answers'), Date.now() - graceMs);
  await pruneSpool(folders.spool, (workflowId) => closed.has(workflowId.replace(/^run-/, '')));
  const { root } = folders;
  const pruned = await pruneSnapshots({ root, closed, days: settings.snapshotDays });
  log.info({ stores: pruned.length }, 'snapshots pruned');
});

const service = connection.workflowService;
/** With a signal on each call, a long poll ends when we do, not 20 seconds later. */
const call = <T>(ask: () => Promise<T>): Promise<T> =>
  abortWith(signal, (own) => connection.withAbortSignal(own, ask));

await mirrorAll({
  service: {
    getWorkflowExecutionHistory: (request) =>
      call(() => service.getWorkflowExecutionHistory(request)),
    listWorkflowExecutions: (request) => call(() => service.listWorkflowExecutions(request)),
  },
  namespace: settings.temporalNamespace,
  root: folders.root,
  inbox: folders.mirror,
  signal,
  log,
  version: readVersion(),
  sdk,
  readServerVersion: async () => (await call(() => service.getSystemInfo({}))).serverVersion,
  anchors: createAnchors(folders.root),
});
await connection.close();
process.exit(0);
