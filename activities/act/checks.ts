/**
 * Looks through what others have written, and judges what they ask for. What is short is done at once; what is long is done
 * in a thread with a deadline, so that no text keeps the worker from its heartbeats.
 */
import { Worker } from 'node:worker_threads';
import type { Action, Decision } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import { findInjection } from '../../policies/untrusted/injection.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import { redactValue } from '../../policies/secrets/redaction.ts';
import type { Redacted, Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import type { SecretValue } from '../../policies/secrets/values.ts';
import { stepUp } from '../../policies/untrusted/untrusted.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';

export interface Checks {
  /** Undefined for a text that could not be looked through in time: it must not be shown. */
  redact(text: string): Promise<Redacted | undefined>;
  /** The same for any plain value. */
  redactArguments(args: Action['args']): Promise<Action['args'] | undefined>;
  findInjection(text: string): Promise<readonly Suspicion[] | undefined>;
  /** What cannot be judged in time is denied. */
  decide(policy: Policy, action: Action, untrusted?: Untrusted): Promise<Decision>;
}

export interface CheckOptions {
  /** How long one text may take. */
  readonly deadlineMs?: number;
  /** Longer texts go to the thread. */
  readonly inlineLength?: number;
  /** Threads at most; they start when they are needed. */
  readonly threads?: number;
}

export type Task =
  | { readonly kind: 'redact'; readonly text: string }
  | { readonly kind: 'injection'; readonly text: string }
  | { readonly kind: 'decide'; readonly action: Action; readonly untrusted: Untrusted | undefined };

export interface Order {
  readonly task: Task;
  /** If it is another than the last that was sent; it is large. */
  readonly policy: Policy | undefined;
  /** Values learned since the last order. */
  readonly values: readonly SecretValue[];
}

export type Answer = { readonly result: unknown } | { readonly problem: string };

const maxMegabytes = 512;
/** A command of this length is judged within milliseconds, whatever is in it. */
const inlineCommand = 8_192;

export function createChecks(
  redactor: Redactor,
  { deadlineMs = 10_000, inlineLength = 16_384, threads = 2 }: CheckOptions = {},
): Checks {
  const all = Array.from({ length: threads }, () => createThread(redactor, deadlineMs));
  let turn = 0;
  const ask = async (task: Task, policy?: Policy): Promise<Answer> => {
    turn += 1;
    const thread = all.find(({ waiting }) => waiting === 0) ?? all[turn % all.length];
    return thread === undefined
      ? { problem: 'there is no thread' }
      : await thread.ask(task, policy);
  };
  const redact = async (text: string): Promise<Redacted | undefined> => {
    if (text.length <= inlineLength) return redactor.redact(text);
    const answer = await ask({ kind: 'redact', text });
    return 'result' in answer ? (answer.result as Redacted) : undefined;
  };
  return {
    redact,
    async redactArguments(args) {
      const text = JSON.stringify(args);
      if (text.length <= inlineLength) return redactValue(redactor, args);
      const redacted = await redact(text);
      if (redacted === undefined) return undefined;
      return redacted.count === 0 ? args : (JSON.parse(redacted.text) as Action['args']);
    },
    async findInjection(text) {
      if (text.length <= inlineLength) return findInjection(text);
      const answer = await ask({ kind: 'injection', text });
      return 'result' in answer ? (answer.result as readonly Suspicion[]) : undefined;
    },
    async decide(policy, action, untrusted) {
      if (action.tool !== 'run_command' || JSON.stringify(action.args).length <= inlineCommand)
        return stepUp(decide(policy, action), policy, action, untrusted);
      const answer = await ask({ kind: 'decide', action, untrusted }, policy);
      if ('result' in answer) return answer.result as Decision;
      const reason = `The command could not be checked: ${answer.problem}. Write a script with write_file and run that.`;
      return { verdict: 'deny', rule: 'policy.deadline', reason, effect: 'workspace' };
    },
  };
}

interface Thread {
  readonly waiting: number;
  ask(task: Task, policy: Policy | undefined): Promise<Answer>;
}

/** One after the other, in a thread that starts with the first task, and anew after one that came to no end. */
function createThread(redactor: Redactor, deadlineMs: number): Thread {
  let worker: Worker | undefined;
  let told = 0;
  let toldPolicy: Policy | undefined;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** Takes the answer to the task in hand. */
  let take: ((answer: Answer) => void) | undefined;
  const start = (): Worker => {
    told = 0;
    toldPolicy = undefined;
    const started = new Worker(new URL('checks-thread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: maxMegabytes },
    });
    const hear = (answer: Answer): void => {
      if (started === worker) take?.(answer);
    };
    started.on('message', hear);
    started.on('error', (error: Error) => hear({ problem: error.message }));
    started.on('exit', () => hear({ problem: 'its thread ended' }));
    return started;
  };
  const perform = async (task: Task, policy: Policy | undefined): Promise<Answer> => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    take = resolve;
    const used = (worker ??= start());
    // Nothing of it keeps the process, but while a task is waited for.
    used.ref();
    const late = (): void => resolve({ problem: `it took longer than ${deadlineMs / 1_000} s` });
    const timer = setTimeout(late, deadlineMs);
    const values = redactor.known.slice(told);
    told = redactor.known.length;
    const order: Order = { task, values, policy: policy === toldPolicy ? undefined : policy };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    used.postMessage(order);
    toldPolicy = policy ?? toldPolicy;
    const answer = await promise;
    clearTimeout(timer);
    used.unref();
    if ('problem' in answer) {
      worker = undefined;
      void used.terminate();
    }
    return answer;
  };
  return {
    get waiting() {
      return waiting;
    },
    async ask(task, policy) {
      waiting += 1;
      const answer = last.then(() => perform(task, policy)).finally(() => (waiting -= 1));
      last = answer.catch(() => undefined);
      return await answer;
    },
  };
}

const made = new WeakMap<Redactor, Checks>();

/** The checks that know what a redactor knows; one pair of threads for all who ask. */
export function checksOf(redactor: Redactor): Checks {
  const checks = made.get(redactor) ?? createChecks(redactor);
  made.set(redactor, checks);
  return checks;
}

/** What is shown instead of a text that could not be looked through. */
export const toWithheld = (text: string): string =>
  `[withheld: ${text.length} characters that could not be checked in time; read a part of it, or filter it first]`;
