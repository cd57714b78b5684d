import type { RunEvent } from '../audit/events/events.ts';
import { failpoint } from '../audit/record/failpoint.ts';
import type { RunClient } from '../client/run-client.ts';
import { tellAllWhole } from '../client/events/tell.ts';
import { CliError } from './errors.ts';
import { followEvents } from '../client/events/follow.ts';
import { isForeground } from './terminal/keyboard.ts';
import { printJson, printProgress, printText } from './render/output.ts';
import { createAccount } from './render/account.ts';
import { renderSummary } from './render/render.ts';
import { toUnknownRun } from '../client/connect.ts';
import { createLookout } from './lookout.ts';
import type { Viewer, Watch } from './viewer.ts';
import { createStyle } from './render/style.ts';
import type { WatchView } from '../client/events/watch-view.ts';
import { emptyView, foldEvent } from '../client/events/watch-view.ts';

/**
 * Shows a run until it ends. Returns the run's exit code; 3 if it waits and nobody here can answer; 6 after Ctrl-C.
 */
export async function watchRun(watch: Watch): Promise<number> {
  const { client, settings, run } = watch;
  const found = await client.describe(run);
  if (found === undefined) throw await toUnknownRun(settings, run, client);
  const viewer = await createViewer(watch);
  const stop = new AbortController();
  const ended = followToEnd(watch, viewer, found.firstRunId, stop.signal);
  const interrupted = waitForSignal(stop.signal);
  try {
    const end = await Promise.race([ended, interrupted, viewer.left.then(() => leftRunning)]);
    await viewer.close();
    if (typeof end === 'number') {
      printProgress(renderLeft(run));
      return end;
    }
    return report(watch, end);
  } finally {
    stop.abort();
    await viewer.close();
  }
}

type End = { readonly view: WatchView; readonly why: 'finished' | 'nobody' };

async function followToEnd(
  watch: Watch,
  viewer: Viewer,
  firstRunId: string,
  signal: AbortSignal,
): Promise<End> {
  const { client, settings, run, json } = watch;
  let view = emptyView;
  const { onAway } = createLookout(watch, viewer.say, () => view, signal);
  for await (const found of followEvents({ client, run, firstRunId, signal, wait: true, onAway })) {
    const events = await tellAllWhole(settings, found, !json);
    view = events.reduce(foldEvent, view);
    viewer.show(events, view);
    failpoint('cli.watching');
    if (!viewer.answers && (await isWaiting(client, run, view))) return { view, why: 'nobody' };
  }
  if (view.finished === undefined && !signal.aborted) {
    throw new CliError(
      `The history of run ${run} ends without a result. See: agent show ${run}`,
      1,
    );
  }
  return { view, why: 'finished' };
}

const askWithinMs = 3_000;

/** Events may say that the run waits when the answer is the next one, so ask the run itself. */
async function isWaiting(client: RunClient, run: string, view: WatchView): Promise<boolean> {
  if (view.approvals.length === 0 && view.question === undefined) return false;
  const current = await client.view(run, askWithinMs);
  const phase = current?.now.phase ?? 'awaiting-approval';
  return phase === 'awaiting-approval' || phase === 'awaiting-input';
}

function report({ run, json }: Watch, { view, why }: End): number {
  const { finished, approvals, questions } = view;
  if (why === 'nobody' || finished === undefined) {
    if (approvals.length > 0) {
      for (const { request } of approvals)
        printProgress(
          `Run ${run} waits for approval ${request}. To continue it:\n` +
            `  agent approve ${run} ${request}     or: agent deny ${run} ${request} --reason "…"`,
        );
    }
    for (const { request } of questions) {
      const to = questions.length > 1 ? ` --to ${request}` : '';
      printProgress(
        `Run ${run} waits for an answer to ${request}. To continue it:\n  agent say ${run}${to} "…"`,
      );
    }
    printProgress(`Watch it again: agent attach ${run}`);
    return 3;
  }
  if (!json) printText(renderSummary(finished.summary));
  return finished.exitCode;
}

const renderLeft = (run: string): string =>
  [
    `Run ${run} keeps running.`,
    `  watch   agent attach ${run}`,
    `  pause   agent pause ${run}`,
    `  cancel  agent cancel ${run}`,
  ].join('\n');

/** The exit code when the run continues unwatched. */
const leftRunning = 6;

function waitForSignal(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const onInterrupt = (): void => resolve(leftRunning);
    const onTerminate = (): void => resolve(143);
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
    signal.addEventListener('abort', () => {
      process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
    });
  });
}

const never = new Promise<void>(() => undefined);
const close = (): Promise<void> => Promise.resolve();

async function createViewer(watch: Watch): Promise<Viewer> {
  if (watch.json) {
    const show = (events: readonly RunEvent[]): void => {
      for (const event of events) if (event.seq >= watch.from) printJson(event);
    };
    return { show, say: printProgress, left: never, answers: false, close };
  }
  // Reading the terminal from a shell's background would stop the process.
  if (process.stdin.isTTY && process.stderr.isTTY && isForeground()) {
    const { createLiveViewer } = await import('./live.ts');
    return createLiveViewer(watch);
  }
  const style = createStyle(process.stderr, process.env);
  const account = createAccount(style);
  const show = (events: readonly RunEvent[]): void => {
    for (const event of events) for (const line of account(event)) printProgress(line);
  };
  return { show, say: printProgress, left: never, answers: false, close };
}
