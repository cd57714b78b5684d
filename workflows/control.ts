import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AgentRun } from './contract.ts';
import { cancelRun, pauseRun, resumeRun, sayToRun } from './contract.ts';
import { heed } from './messages.ts';
import { sha256 } from './sha256.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import { hear } from './words.ts';

/** Anyone who reaches the server can send anything: a malformed message must not stop the run. */
const toName = (by: unknown): string =>
  typeof by === 'string' && by !== '' ? by.slice(0, 200) : 'somebody';

const maxMessageLength = 4_000;

/** What a signature covers: the words and the question they answer. */
const toAbout = (message: string, to: string | undefined): string =>
  sha256(JSON.stringify([message, to ?? null]));

/** Matches runs begun before `words`, for which only the presence of messages matters. */
const maxSaid = 50;

/** Signals, because they must be accepted even if no worker is up. */
export function registerControls(run: Run, cancel: () => void): void {
  const { state } = run;
  setHandler(pauseRun, async (by, proof) => {
    await heed(run, { what: 'pause', by, proof }, (who) => {
      state.pausedBy ??= toName(who);
    });
  });
  setHandler(resumeRun, async (by, proof) => {
    await heed(run, { what: 'resume', by, proof }, () => {
      delete state.pausedBy;
    });
  });
  setHandler(cancelRun, async (by, proof) => {
    await heed(run, { what: 'cancel', by, proof }, (who) => {
      state.cancelledBy ??= toName(who);
      cancel();
    });
  });
  setHandler(sayToRun, async (message: unknown, by, to: unknown, proof) => {
    if (typeof message !== 'string') return;
    const question = typeof to === 'string' ? to : undefined;
    // Our commands send nothing longer.
    const about = message.length > maxMessageLength ? '' : toAbout(message, question);
    await heed(run, { what: 'say', by, proof, about }, () => {
      hear(state, message, question);
      if (state.said.length < maxSaid) state.said.push('');
    });
  });
}

/** Holds the run while paused. Called between activities: what has begun runs to its end. */
export async function waitWhilePaused(run: Run): Promise<void> {
  if (run.state.pausedBy === undefined) return;
  const before = run.phase.now;
  enter(run, { phase: 'paused' });
  await condition(() => run.state.pausedBy === undefined);
  enter(run, before);
}

/**
 * Continues as new before the history gets long: an action takes about ten events and the server warns at 4,096. Only
 * between turns, when nothing is in progress.
 */
export async function continueWhenLong(run: Run): Promise<void> {
  // A parallel step cannot continue elsewhere while the others are in progress.
  if (run.worktree.isCopy) return;
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  if (historyLength < (run.input.historyLimit ?? 2_000) && !continueAsNewSuggested) return;
  run.leaving = true;
  await condition(allHandlersFinished);
  await continueAsNew<AgentRun>(run.input, run.state);
}
