/** Messages of people: none has an effect before the worker has found that an approver signed it, for this run and this once. */
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

/** As it came: whoever reaches Temporal can send one, with anything in it. */
interface Message {
  readonly what: MessageKind;
  readonly by: unknown;
  readonly proof: unknown;
  /** What it says; of a text its sha256. */
  readonly about?: string;
}

const maxAtOnce = 50;
/** Of a flood: their activity's input stays far below what the server takes. */
const maxOfFlood = 400;
/** Numbers of messages that counted; older ones are told by their time. */
const maxKept = 500;
/** Messages that did not count, after which a run looks only now and then. */
const patience = 50;
const rest = '5s';
const maxSettling = '10s';

/** Runs begun before forgot messages that nobody had checked, and numbers beyond fifty. Asked only where that matters. */
const checksAll = (): boolean => patched('checks-every-message');
const maxWaitingBefore = 200;
const maxKeptBefore = 50;

/**
 * Has `take` take effect if the message counts, in the order in which messages came. Resolves with why it does not. Runs of
 * versions that signed nothing are told at once.
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
  // Among those that nobody has checked may be the operator's. How many there can be is up to the server.
  if ((isFlooded || run.unchecked.length >= maxWaitingBefore) && !checksAll())
    return Promise.resolve('too many messages wait');
  return new Promise((resolve) => {
    run.unchecked.push({ sent, take, settle: resolve });
    if (run.unchecked.length === 1) void CancellationScope.nonCancellable(() => listen(run));
  });
}

/**
 * Waits until what has come is checked, so that it counts for what is decided next; not for ever, since anybody may send more.
 * Undefined, so that nothing is awaited, where nothing has come: older histories have no room for a turn of the queue.
 */
export const settleMessages = ({ unchecked }: Run): Promise<unknown> | undefined =>
  unchecked.length === 0 ? undefined : condition(() => unchecked.length === 0, maxSettling);

const isImpatient = ({ state }: Run): boolean => (state.uncounted ?? 0) >= patience;

async function listen(run: Run): Promise<void> {
  const { state, unchecked } = run;
  while (unchecked.length > 0) {
    // Whoever floods the run must not keep it where it is: on its way to another history it checks without rest.
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

/** Notes that it counted; says why not, if it did before. */
function note(state: RunState, sent: SentMessage): string | undefined {
  if (isKnown(state, sent)) return 'it was sent before';
  const counted = [...(state.counted ?? []), { nonce: sent.nonce, sent: sent.sent }].toSorted(
    (a, b) => a.sent - b.sent,
  );
  // What is forgotten, and whatever was sent before it, can never count again.
  const most = counted.length > maxKeptBefore && checksAll() ? maxKept : maxKeptBefore;
  const forgotten = counted.splice(0, Math.max(0, counted.length - most)).at(-1);
  if (forgotten !== undefined)
    state.countedUpTo = Math.max(forgotten.sent, state.countedUpTo ?? forgotten.sent);
  state.counted = counted;
  return undefined;
}

const isKnown = (state: RunState, { nonce, what, sent }: SentMessage): boolean =>
  (state.counted ?? []).some((known) => known.nonce === nonce) || isTooOld(state, { what, sent });

/** A `cancel` that counted has ended its run, so none has to be told from it by a clock that may have been set back. */
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
