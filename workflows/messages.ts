/**
 * People's messages: none takes effect before the worker has verified that an approver signed it, for this run and one
 * use.
 */
import {
  ActivityFailure,
  CancellationScope,
  condition,
  patched,
  sleep,
} from '@temporalio/workflow';
import type { MessageKind, SentMessage } from '../activities/contract/messages.ts';
import type { Run, Unchecked } from './live-run.ts';
import type { RunState } from './state.ts';

/** As received: anyone who reaches Temporal can send one, with any content. */
interface Message {
  readonly what: MessageKind;
  readonly by: unknown;
  readonly proof: unknown;
  /** Its content; for a text its sha256. */
  readonly about?: string;
}

const maxAtOnce = 50;
/** During a flood: keeps the activity's input far below the server's limit. */
const maxOfFlood = 400;
/** Numbers kept of accepted messages; older ones are recognized by their time. */
const maxKept = 500;
/** Invalid messages before a run checks only now and then. */
const patience = 50;
const rest = '5s';
const maxSettling = '10s';

/** Older runs dropped unchecked messages, and numbers beyond fifty. Called only where that matters. */
const checksAll = (): boolean => patched('checks-every-message');
const maxWaitingBefore = 200;
const maxKeptBefore = 50;

/**
 * Runs `take` if the message is valid, in order of arrival. Resolves with why it is not. Runs older than signed
 * messages accept it at once.
 */
export function heed(
  run: Run,
  message: Message,
  take: (by: string) => void,
): Promise<string | undefined> | undefined {
  const sent = toSent(message);
  if (run.input.order === undefined) {
    take(sent.by);
    return undefined;
  }
  const isFlooded = isImpatient(run) && run.leaving === true;
  // The operator's may be among the unchecked ones. The server limits how many there can be.
  if ((isFlooded || run.unchecked.length >= maxWaitingBefore) && !checksAll())
    return Promise.resolve('too many messages wait');
  return new Promise((resolve) => {
    run.unchecked.push({ sent, take, settle: resolve });
    if (run.unchecked.length === 1) void CancellationScope.nonCancellable(() => listen(run));
  });
}

/**
 * Waits until received messages are checked, so that they count for the next decision; not forever, because anyone may
 * send more. Undefined, so that nothing is awaited, if there are none: older histories have no room for a microtask
 * turn.
 */
export const settleMessages = ({ unchecked }: Run): Promise<unknown> | undefined =>
  unchecked.length === 0 ? undefined : condition(() => unchecked.length === 0, maxSettling);

const isImpatient = ({ state }: Run): boolean => (state.uncounted ?? 0) >= patience;

async function listen(run: Run): Promise<void> {
  const { state, unchecked } = run;
  while (unchecked.length > 0) {
    // A flood must not keep the run in place: while continuing as new it checks without pause.
    if (isImpatient(run) && !(run.leaving === true && checksAll())) await sleep(rest);
    const most = unchecked.length > maxAtOnce && checksAll() ? maxOfFlood : maxAtOnce;
    const batch = unchecked.slice(0, most);
    const problems = await check(run, batch);
    for (const [index, { sent, take, settle }] of batch.entries()) {
      const found = problems[index];
      const problem = found === null ? note(state, sent) : (found ?? 'it could not be checked');
      if (problem === undefined) take(sent.by);
      else state.uncounted = (state.uncounted ?? 0) + 1;
      settle(problem);
    }
    unchecked.splice(0, batch.length);
  }
}

async function check(
  { input, state, activities }: Run,
  batch: readonly Unchecked[],
): Promise<readonly (string | null)[]> {
  const messages = batch.map(({ sent }) =>
    isKnown(state, sent) ? { ...sent, again: true as const } : sent,
  );
  const request = { run: input.run, order: input.order?.nonce ?? '', messages };
  try {
    const summary = `messages: ${messages.map(({ what }) => what).join(', ')}`.slice(0, 200);
    const checked = await activities.messages.checkMessages.executeWithOptions({ summary }, [
      request,
    ]);
    return checked.problems;
  } catch (error) {
    if (error instanceof ActivityFailure) return batch.map(() => 'it could not be checked');
    throw error;
  }
}

/** Records acceptance; says why not if it was accepted before. */
function note(state: RunState, sent: SentMessage): string | undefined {
  if (isKnown(state, sent)) return 'it was sent before';
  const counted = [...(state.counted ?? []), { nonce: sent.nonce, sent: sent.sent }].toSorted(
    (a, b) => a.sent - b.sent,
  );
  // A forgotten message, and any sent earlier, can never be accepted again.
  const most = counted.length > maxKeptBefore && checksAll() ? maxKept : maxKeptBefore;
  const forgotten = counted.splice(0, Math.max(0, counted.length - most)).at(-1);
  if (forgotten !== undefined)
    state.countedUpTo = Math.max(forgotten.sent, state.countedUpTo ?? forgotten.sent);
  state.counted = counted;
  return undefined;
}

const isKnown = (state: RunState, { nonce, what, sent }: SentMessage): boolean =>
  (state.counted ?? []).some((known) => known.nonce === nonce) || isTooOld(state, { what, sent });

/** An accepted `cancel` has ended its run, so it needs no time check, which a clock set back could fail. */
const isTooOld = (
  { countedUpTo }: RunState,
  { what, sent }: Pick<SentMessage, 'what' | 'sent'>,
): boolean =>
  countedUpTo !== undefined && sent <= countedUpTo && !(what === 'cancel' && checksAll());

const toText = (value: unknown, most: number): string =>
  typeof value === 'string' ? value.slice(0, most) : '';

function toSent({ what, by, proof, about }: Message): SentMessage {
  const { nonce, sent, signature } = (proof ?? {}) as Partial<Record<string, unknown>>;
  const { key, value } = (signature ?? {}) as Partial<Record<string, unknown>>;
  return {
    what,
    by: toText(by, 200),
    nonce: toText(nonce, 36),
    sent: typeof sent === 'number' && Number.isSafeInteger(sent) ? sent : 0,
    about,
    signature:
      typeof key === 'string' && typeof value === 'string'
        ? { key: key.slice(0, 16), value: value.slice(0, 100) }
        : undefined,
  };
}
