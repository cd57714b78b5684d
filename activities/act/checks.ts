/**
 * Redacts untrusted text and judges actions. Short inputs are handled at once; long ones in a thread with a deadline,
 * so that no text can block the worker's heartbeats.
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
  /** Undefined if the text could not be checked in time: it must not be shown. */
  redact(text: string): Promise<Redacted | undefined>;
  /** The same for any plain value. */
  redactArguments(args: Action['args']): Promise<Action['args'] | undefined>;
  findInjection(text: string): Promise<readonly Suspicion[] | undefined>;
  /** Denies what cannot be judged in time. */
  decide(policy: Policy, action: Action, untrusted?: Untrusted): Promise<Decision>;
}

export interface CheckOptions {
  /** Time allowed per text. */
  readonly deadlineMs?: number;
  /** Longer texts go to the thread. */
  readonly inlineLength?: number;
  /** Maximum number of threads, started on demand. */
  readonly threads?: number;
}

export type Task =
  | { readonly kind: 'redact'; readonly text: string }
  | { readonly kind: 'injection'; readonly text: string }
  | { readonly kind: 'decide'; readonly action: Action; readonly untrusted: Untrusted | undefined };

export interface Order {
  readonly task: Task;
  /** Sent only if it differs from the last one, because it is large. */
  readonly policy: Policy | undefined;
  /** Values learned since the last order. */
  readonly values: readonly SecretValue[];
}

export type Answer = { readonly result: unknown } | { readonly problem: string };

const maxMegabytes = 512;
/** Commands up to this length are judged within milliseconds, whatever they contain. */
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
      const isCommand = action.access.section === 'commands';
      if (!isCommand || JSON.stringify(action.args).length <= inlineCommand)
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

/** Runs tasks one at a time, in a thread started with the first task and replaced after a timeout. */
function createThread(redactor: Redactor, deadlineMs: number): Thread {
  let worker: Worker | undefined;
  let told = 0;
  let toldPolicy: Policy | undefined;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  /** Receives the answer to the current task. */
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
    // The thread keeps the process alive only while a task is pending.
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

/** Checks sharing a redactor's knowledge; all callers share its threads. */
export function checksOf(redactor: Redactor): Checks {
  const checks = made.get(redactor) ?? createChecks(redactor);
  made.set(redactor, checks);
  return checks;
}

/** Shown instead of text that could not be checked. */
export const toWithheld = (text: string): string =>
  `[withheld: ${text.length} characters that could not be checked in time; read a part of it, or filter it first]`;
