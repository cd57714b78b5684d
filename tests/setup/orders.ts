/** Announces runs in tests, as the commands do for the operator. */
import { randomUUID } from 'node:crypto';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { MessageKind, Proof } from '../../activities/contract/messages.ts';
import { signAnswer } from '../../audit/record/keys/answer-signature.ts';
import { hashOf } from '../../audit/record/blobs.ts';
import { signMessage, signOrder, toSignedRun } from '../../audit/record/keys/order-signature.ts';
import type { SigningKey } from '../../audit/record/keys/signing-key.ts';
import { toStandingBy } from '../../workflows/contract.ts';
import type { RewindOrder, RunInput } from '../../workflows/contract.ts';

/** The input with the operator's order, and with their standing order where it has one. */
export function toOrdered(key: SigningKey, input: RunInput, carried?: unknown): RunInput {
  const nonce = randomUUID();
  const order = signOrder(key, toSignedRun(input, nonce, carried));
  if (input.approve === 'ask') return { ...input, order };
  const answer = input.approve === 'auto' ? 'approve' : 'deny';
  const standing = { run: input.run, order: nonce, answer, by: toStandingBy(input) } as const;
  return { standing: signAnswer(key, standing), ...input, order };
}

/** As the run reads it. */
const toText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What of a message's arguments is signed, and where its proof stands among them. */
const kinds: Readonly<
  Record<
    string,
    { readonly place: number; readonly toSigned: (args: readonly unknown[]) => Signed }
  >
> = {
  pause: { place: 1, toSigned: ([by]) => ({ what: 'pause', by: toText(by) }) },
  resume: { place: 1, toSigned: ([by]) => ({ what: 'resume', by: toText(by) }) },
  cancel: { place: 1, toSigned: ([by]) => ({ what: 'cancel', by: toText(by) }) },
  policyChanged: {
    place: 2,
    toSigned: ([about, by]) => ({ what: 'policyChanged', by: toText(by), about: toText(about) }),
  },
  say: {
    place: 3,
    toSigned: ([text, by, to]) => ({
      what: 'say',
      by: toText(by),
      about: hashOf(JSON.stringify([text, to ?? null])),
    }),
  },
};

interface Signed {
  readonly what: MessageKind;
  readonly by: string;
  readonly about?: string;
}

/** What a client of the operator's adds to each message of a test to a run. `orders`: the numbers of runs' orders. */
export function signingMessages(
  key: SigningKey,
  orders: ReadonlyMap<string, string>,
): WorkflowClientInterceptor {
  const prove = (workflowId: string, signed: Signed): Proof =>
    signMessage(key, {
      run: workflowId.replace(/^run-/, ''),
      order: orders.get(workflowId) ?? '',
      ...signed,
      nonce: randomUUID(),
      sent: Date.now(),
    });
  return {
    async signal(input, next) {
      const kind = kinds[input.signalName];
      const { workflowId } = input.workflowExecution;
      if (kind === undefined || input.args.length > kind.place) return await next(input);
      const args = [...input.args];
      args[kind.place] = prove(workflowId, kind.toSigned(input.args));
      return await next({ ...input, args: Array.from(args) });
    },
    async startUpdate(input, next) {
      if (input.updateName !== 'rewind') return await next(input);
      const [order] = input.args as [RewindOrder];
      const { workflowId } = input.workflowExecution;
      const proof = prove(workflowId, { what: 'rewind', by: order.by, about: order.step });
      return await next({ ...input, args: [{ proof, ...order }] });
    },
  };
}
