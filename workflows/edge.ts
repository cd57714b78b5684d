/**
 * Validates a run's input once, here: it comes from outside, from any client of any version, and invalid data must end
 * the run with a message instead of making workflow code throw forever. Pure.
 */
import { ApplicationFailure } from '@temporalio/workflow';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isList = (value: unknown): boolean => Array.isArray(value);
const isListOf =
  (fits: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(fits);
const isChoice = (value: unknown): boolean => isObject(value) && isText(value['model']);
const hasAll =
  (form: Form) =>
  (value: unknown): boolean =>
    isObject(value) && findMisfit(value, form) === undefined;

type Form = Readonly<Record<string, (value: unknown) => boolean>>;

/** The first field of the wrong form. */
const findMisfit = (value: Fields, form: Form): string | undefined =>
  Object.keys(form).find((name) => form[name]?.(value[name]) !== true);

const queues: Form = { model: isText, workspace: isText };
const runForm: Form = {
  run: isText,
  goal: isText,
  workspace: isText,
  by: isText,
  approve: isText,
  queues: hasAll(queues),
  models: hasAll({ planner: isChoice, executor: isChoice, reviewer: isChoice }),
  limits: isObject,
};

const isStep = hasAll({
  id: isText,
  title: isText,
  state: isText,
  dependsOn: isListOf(isText),
  attempts: isCount,
  turns: isCount,
  observations: isList,
  notes: isList,
});
const counts: Form = { steps: isCount, toolCalls: isCount, inputTokens: isCount };
const stateForm: Form = {
  round: isCount,
  actions: isCount,
  asks: isCount,
  questions: isCount,
  denials: isCount,
  planNotes: isList,
  achieved: isListOf(isText),
  said: isListOf(isText),
  thought: isText,
  steps: isListOf(isStep),
  usage: hasAll({ ...counts, outputTokens: isCount, workMs: isCount }),
  words: (value) => value === undefined || isListOf(hasAll({ n: isCount, text: isText }))(value),
};

function check(what: string, value: unknown, form: Form): void {
  const misfit = isObject(value) ? findMisfit(value, form) : '(all of it)';
  if (misfit === undefined) return;
  throw ApplicationFailure.nonRetryable(
    `${what} cannot be read: "${misfit}" is missing or not of its form. Start it with: agent run`,
    'UnreadableInput',
  );
}

/** @throws ApplicationFailure, which ends the workflow. */
export function checkRunInput(input: unknown, carried: unknown): void {
  check('The input of the run', input, runForm);
  if (carried !== undefined && carried !== null)
    check('The state the run goes on from', carried, stateForm);
}

/** The same for a manual promotion. */
export const checkPromotionInput = (input: unknown): void =>
  check('The input of the promotion', input, {
    queues: hasAll(queues),
    request: hasAll({ run: isText, target: isText, stage: isText }),
  });
