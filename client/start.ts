/** Starts a run: the stack, the model server, and the announcement to the mirror. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '../audit/record/failpoint.ts';
import { toSent } from '../audit/record/keys/payload-codec.ts';
import type { Settings } from '../config/environment.ts';
import { toWebUi } from '../config/stack.ts';
import type { RunInput } from '../workflows/contract.ts';
import { toQueues, toWorkflowId } from '../workflows/names.ts';
import type { RunState } from '../workflows/state.ts';
import { readUser, toCluster } from './connect.ts';
import { invalid } from './errors.ts';
import { requireModelServer } from './model-server.ts';
import type { RunClient } from './run-client.ts';
import { readRedactor, readSecrets } from './secrets.ts';
import { toOrderedRun } from './signing.ts';
import { findElsewhere } from './stack/settings.ts';
import { ensureStack } from './stack/stack.ts';
import { handKey, handSecrets, startDemo } from './stack/control.ts';
import { readStack } from './stack/file.ts';

/** What differs between commands that start runs. */
export type Launch = Pick<RunInput, 'run' | 'goal' | 'workspace' | 'limits' | 'approve'> &
  Partial<Pick<RunInput, 'from' | 'wait' | 'models' | 'stagedFrom'>> & {
    /** State the run continues from. */
    readonly carried?: RunState;
  };

/** A started run; its holder closes the client. */
export interface Started {
  readonly client: RunClient;
  /** The local stack's, if it has one. */
  readonly webUi?: string;
}

/** Starts a run. @throws ClientError if it cannot begin, leaving nothing behind. */
export async function startRun(
  settings: Settings,
  { carried, ...launch }: Launch,
  { demo, onProgress }: { readonly demo: boolean; readonly onProgress: (line: string) => void },
): Promise<Started> {
  const { client, queues, baseUrl, webUi } = await prepare(settings, demo, onProgress);
  try {
    // What is signed is what arrives: without the secrets that are taken out on the way.
    const redactor = readRedactor(settings);
    const input = toSent(redactor, {
      ...launch,
      models: launch.models ?? toModels(settings, baseUrl, demo),
      // A goal travels far: into prompts, history and logs.
      goal: redactor.mask(launch.goal),
      queues: { model: queues.model, workspace: queues.workspace },
      by: readUser(),
      started: new Date().toISOString(),
    });
    const state = carried === undefined ? undefined : toSent(redactor, carried);
    const ordered = await toOrderedRun(input, state);
    failpoint('cli.connected');
    await startAnnounced(settings, launch.run, () => client.start(ordered, queues.run, state));
    failpoint('cli.started');
    return { client, webUi };
  } catch (error) {
    await client.close();
    throw error;
  }
}

interface Place {
  readonly client: RunClient;
  readonly queues: { readonly run: string; readonly model: string; readonly workspace: string };
  /** Absent on a cluster: its workers know their own model server. */
  readonly baseUrl?: string;
  readonly webUi?: string;
}

/** Everything a run needs before it can start; what does not depend on each other is done at the same time. */
async function prepare(
  settings: Settings,
  demo: boolean,
  onProgress: (line: string) => void,
): Promise<Place> {
  const loading = import('./run-client.ts');
  const cluster = toCluster(settings);
  if (cluster !== undefined) {
    if (demo) {
      throw invalid('--demo needs the local stack. Unset TEMPORAL_ADDRESS, or leave out --demo.');
    }
    const elsewhere = findElsewhere(settings);
    if (elsewhere.length > 0)
      onProgress(
        `Note: on a cluster its workers’ settings count, not your ${elsewhere.join(', ')}.`,
      );
    const client = await (await loading).connectClient(cluster, settings);
    return { client, queues: toQueues(settings.queue, settings.host) };
  }
  const checkModel = async (): Promise<void> => {
    if (!demo) await requireModelServer(settings.baseUrl, settings.apiKey);
  };
  const checking = checkModel();
  // A stack is not started for a run that cannot begin; one that runs already is asked at the same time.
  if (readStack(settings) === undefined) await checking;
  const [stack] = await Promise.all([
    ensureStack(settings, { onProgress, strict: true }),
    checking,
  ]);
  const secrets = readSecrets(settings);
  const [client, baseUrl] = await Promise.all([
    loading.then(({ connectClient }) =>
      connectClient({ address: stack.temporal, namespace: stack.namespace }, settings),
    ),
    demo ? startDemo(stack).then((server) => server.baseUrl) : settings.baseUrl,
    demo || settings.apiKey === undefined
      ? undefined
      : handKey(stack, settings.baseUrl, settings.apiKey),
    secrets.length === 0 ? undefined : handSecrets(stack, secrets),
  ]);
  const queues = toQueues(stack.queue, stack.host);
  const webUi = toWebUi(stack);
  return { client, queues, baseUrl, webUi };
}

function toModels(
  settings: Settings,
  baseUrl: string | undefined,
  demo: boolean,
): RunInput['models'] {
  const choose = (model: string): RunInput['models']['planner'] => ({
    model: demo ? 'demo' : model,
    baseUrl,
    forceChat: settings.forceChat ? true : undefined,
  });
  return {
    planner: choose(settings.plannerModel),
    executor: choose(settings.model),
    reviewer: choose(settings.reviewerModel),
  };
}

/** Tells the mirror about the run before it exists, so that not even its first event is late. */
async function startAnnounced(
  { folders }: Settings,
  run: string,
  start: () => Promise<void>,
): Promise<void> {
  mkdirSync(folders.mirror, { recursive: true, mode: 0o700 });
  const notice = join(folders.mirror, toWorkflowId(run));
  writeFileSync(notice, '', { mode: 0o600 });
  failpoint('cli.announced');
  try {
    await start();
  } catch (error) {
    rmSync(notice, { force: true });
    throw error;
  }
}
