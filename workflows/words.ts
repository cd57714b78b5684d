/**
 * People's messages to a run. Each is stored with the run and given to every conversation that has not read it, so that
 * none is lost whatever was in progress. Unread messages are never dropped. Pure.
 */
import type { Said } from '../activities/contract/model.ts';
import { nextQuestion } from './questions.ts';
import type { OpenQuestion, RunState, StepRecord, Word } from './state.ts';

const maxMessageLength = 4_000;
/** Characters of read messages kept for later conversations, newest first. */
const maxRememberedLength = 12_000;
/** Characters that may wait unread: far more than a person types, and less than an activity's input can hold. */
const maxUnreadLength = 200_000;

/**
 * Accepts a message. `to` names the question it answers, or is empty if its sender saw none; if absent (older clients),
 * it answers the only open one.
 */
export function hear(state: RunState, message: string, to: string | undefined): void {
  const text = message.slice(0, maxMessageLength);
  if (text.trim() === '') return;
  const open = state.open ?? [];
  const [only] = open.length === 1 ? open : [];
  const asked = to === undefined ? only : open.find(({ id }) => id === to);
  const n = (state.words?.at(-1)?.n ?? 0) + 1;
  const word: Word = { n, text };
  if (asked === undefined) {
    state.words = trim([...(state.words ?? []), word]);
    return;
  }
  const { id: request, step, text: question } = asked;
  const answers = { request, step, question: question.slice(0, 300) };
  state.words = trim([...(state.words ?? []), { ...word, answers }]);
  state.open = open.filter(({ id }) => id !== request);
}

/** Drops the oldest read messages once they get long; unread ones only beyond what a run can carry. */
function trim(words: readonly Word[]): Word[] {
  const remembered = dropOldest(words, maxRememberedLength, ({ read }) => read === true);
  return dropOldest(remembered, maxUnreadLength, ({ read }) => read !== true);
}

/** Among the words `counts` selects, keeps the newest up to this total length. */
function dropOldest(
  words: readonly Word[],
  maxLength: number,
  counts: (word: Word) => boolean,
): Word[] {
  let length = 0;
  return words
    .toReversed()
    .filter((word) => !counts(word) || (length += word.text.length) <= maxLength)
    .toReversed();
}

/** Opens a question; earlier messages are not answers to it. */
export function openQuestion(state: RunState, step: string, text: string): OpenQuestion {
  const after = state.words?.at(-1)?.n ?? 0;
  const question: OpenQuestion = { id: nextQuestion(state), step, text, after };
  state.open = [...(state.open ?? []), question];
  return question;
}

export const isOpen = ({ open = [] }: RunState, { id }: OpenQuestion): boolean =>
  open.some((other) => other.id === id);

export function dropQuestion(state: RunState, { id }: OpenQuestion): void {
  state.open = (state.open ?? []).filter((other) => other.id !== id);
}

/** Answers to other steps' questions make no sense in a step's conversation. */
const isFor = ({ answers }: Word, { id }: StepRecord): boolean =>
  answers === undefined || answers.step === id;

/** What the step's conversation has not read. */
export const unheardBy = ({ words = [] }: RunState, step: StepRecord): Word[] =>
  words.filter((word) => word.n > (step.heard ?? 0) && isFor(word, step));

/** What nobody has read. */
export const unheard = ({ words = [] }: RunState): Word[] =>
  words.filter(({ read }) => read !== true);

/** Records that a conversation has read these. */
export function markRead(state: RunState, read: readonly Word[], step?: StepRecord): void {
  const last = read.at(-1)?.n;
  if (last === undefined) return;
  const numbers = new Set(read.map(({ n }) => n));
  state.words = trim(
    (state.words ?? []).map((word) => (numbers.has(word.n) ? { ...word, read: true } : word)),
  );
  if (step !== undefined) step.heard = Math.max(step.heard ?? 0, last);
}

/** As shown to a model. */
export const renderWord = ({ text, answers }: Word): string =>
  answers === undefined ? text : `(asked: ${answers.question.replaceAll('\n', ' ')}) ${text}`;

/** Everything a person said to the run, oldest first. */
export const allSaid = ({ words = [] }: RunState): string[] => words.map(renderWord);

/** The same, with the person's words separate from the question. */
export const toSaid = ({ words = [] }: RunState): Said[] =>
  words.map(({ text, answers }) =>
    answers === undefined ? { text } : { text, asked: answers.question },
  );
