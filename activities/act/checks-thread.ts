/** Thread entry: runs the tasks of `checks.ts` one at a time. */
import { parentPort } from 'node:worker_threads';
import { decide } from '../../policies/decide.ts';
import { findInjection } from '../../policies/untrusted/injection.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';
import { stepUp } from '../../policies/untrusted/untrusted.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Answer, Order, Task } from './checks.ts';

const redactor = createRedactor();

let policy: Policy | undefined;

function perform(task: Task): unknown {
  switch (task.kind) {
    case 'redact':
      return redactor.redact(task.text);
    case 'injection':
      return findInjection(task.text);
    case 'decide': {
      const { action, untrusted } = task;
      if (policy === undefined) throw new Error('There is no policy to judge by.');
      return stepUp(decide(policy, action), policy, action, untrusted);
    }
  }
}

function answer({ task, values, policy: another }: Order): Answer {
  try {
    policy = another ?? policy;
    redactor.add(values);
    return { result: perform(task) };
  } catch (error) {
    return { problem: String(error) };
  }
}

parentPort?.on('message', (order: Order) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(answer(order));
});
