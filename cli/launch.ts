/** Starting a run: the stack, the model server, the announcement to the mirror, and the view of it. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '../audit/record/failpoint.ts';
import { toSent } from '../audit/record/keys/payload-codec.ts';
import type { Settings } from '../config/environment.ts';
import { readSettings } from '../config/environment.ts';
import { toWebUi } from '../config/stack.ts';
import type { RunInput } from '../workflows/contract.ts';
import { toQueues, toWorkflowId } from '../workflows/names.ts';
import type { RunState } from '../workflows/state.ts';
import type { Invocation } from './arguments.ts';
import { toLine } from './clean.ts';
import type { RunClient } from '../client/run-client.ts';
import { usageError } from './errors.ts';
import { requireModelServer } from '../client/model-server.ts';
import { printJson, printProgress, printText } from './render/output.ts';
import { parseFolder, textOf } from './run-options.ts';
import { readUser, toCluster } from '../client/connect.ts';
import { readRedactor, readSecrets } from '../client/secrets.ts';
import { toOrderedRun } from '../client/signing.ts';
import { findElsewhere } from '../client/stack/settings.ts';
import { ensureStack, handKey, handSecrets, readStack, startDemo } from '../client/stack/stack.ts';

/** What a command says of the run it starts; the rest is the same for all. */
export type Launch = Pick<RunInput, 'run' | 'goal' | 'workspace' | 'limits' | 'approve'> &
  Partial<Pick<RunInput, 'from' | 'wait' | 'models' | 'stagedFrom'>> & {
    /** State the run goes on from. */
    readonly carried?: RunState;
  };

/** Starts a run and, unless detached, watches it to its end. Returns the exit code. */
export async function launchRun(
  settings: Settings,
  flags: Invocation['flags'],
  launch: Launch,
): Promise<number> {
  const demo = flags['demo'] === true;
  const { carried, ...rest } = launch;
  const given = { ...rest, goal: maskGoal(settings, rest.goal) };
  const { run, workspace } = given;
  const place = await prepare(settings, demo);
  const by = readUser();
  // What is signed is what arrives: without the secrets that are taken out on the way.
  const redactor = readRedactor(settings);
  const input = toSent(redactor, {
    models: toModels(settings, place.baseUrl, demo),
    ...given,
    queues: { model: place.queues.model, workspace: place.queues.workspace },
    by,
    started: new Date().toISOString(),
  });
  const state = carried === undefined ? undefined : toSent(redactor, carried);
  const ordered = await toOrderedRun(input, state);
  try {
    failpoint('cli.connected');
    await startAnnounced(settings, run, () => place.client.start(ordered, place.queues.run, state));
    failpoint('cli.started');
    if (flags['detach'] === true) {
      const { leaveRun } = await import('./detach.ts');
      await leaveRun(place.client, run);
      if (flags['json'] === true) printJson({ run, workspace, webUi: place.webUi });
      else printText(run);
      return 0;
    }
    printProgress(`Run ${run}${place.webUi === undefined ? '' : ` · ${place.webUi}`}`);
    const { watchRun } = await import('./watch.ts');
    return await watchRun({
      client: place.client,
      settings,
      run,
      json: flags['json'] === true,
      from: 1,
    });
  } finally {
    await place.client.close();
  }
}

/** A goal travels far: into prompts, history and logs. */
function maskGoal(settings: Settings, goal: string): string {
  const { text, count } = readRedactor(settings).redact(goal);
  if (count > 0) {
    const [what, them] = count === 1 ? ['a secret', 'it'] : [`${count} secrets`, 'them'];
    printProgress(
      `Note: the goal has ${what} in it. The run does not get ${them}; it reads: ${toLine(text, 200)}`,
    );
  }
  return text;
}

/** `-m` is about every role; what the environment says about single roles steps back. */
export function readRunSettings(flags: Invocation['flags']): Settings {
  const model = textOf(flags, 'model');
  const directory = textOf(flags, 'directory');
  return readSettings({
    flags: {
      model,
      plannerModel: model,
      reviewerModel: model,
      workspace: directory === undefined ? undefined : parseFolder(directory),
    },
  });
}

interface Place {
  readonly client: RunClient;
  readonly queues: { readonly run: string; readonly model: string; readonly workspace: string };
  /** Absent on a cluster: its workers know their own model server. */
  readonly baseUrl?: string;
  readonly webUi?: string;
}

/** Everything a run needs before it can start; what does not depend on each other is done at the same time. */
async function prepare(settings: Settings, demo: boolean): Promise<Place> {
  const loading = import('../client/run-client.ts');
  const cluster = toCluster(settings);
  if (cluster !== undefined) {
    if (demo) {
      throw usageError(
        '--demo needs the local stack. Unset TEMPORAL_ADDRESS, or leave out --demo.',
      );
    }
    const elsewhere = findElsewhere(settings);
    if (elsewhere.length > 0)
      printProgress(
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
    ensureStack(settings, { onProgress: printProgress, strict: true }),
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
