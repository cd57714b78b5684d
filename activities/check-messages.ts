/** Checks whether messages to a run are an approver's. Workflow code has no keys and is replayed. */
import { Context } from '@temporalio/activity';
import { findTextProblem } from '../audit/record/keys/answer-signature.ts';
import type { Approvers } from '../audit/record/keys/approvers.ts';
import { createFewTimes } from '../audit/record/few-times.ts';
import type { AuditLog } from '../audit/record/log.ts';
import { toMessageText } from '../audit/record/keys/order-signature.ts';
import type { MessageActivities, SentMessage } from './contract/messages.ts';

export interface MessageDependencies {
  readonly approvers: Approvers;
  readonly audit: () => Promise<Pick<AuditLog, 'append'>>;
}

/** What anyone can send must not fill the log. */
const maxLogged = 100;
const stretchMs = 3_600_000;

export function createMessageActivities({
  approvers,
  audit,
}: MessageDependencies): MessageActivities {
  const isFew = createFewTimes(maxLogged, stretchMs);
  return {
    async checkMessages({ run, order, messages }) {
      const keys = approvers();
      const find = ({ again, signature, ...message }: SentMessage): string | null =>
        again
          ? 'it was sent before'
          : (findTextProblem(keys, toMessageText({ ...message, run, order }), signature) ?? null);
      const problems = messages.map(find);
      // Once: a later attempt finds the same.
      if (Context.current().info.attempt === 1)
        for (const [index, refused] of problems.entries()) {
          const message = messages[index];
          if (refused === null || message === undefined || !isFew()) continue;
          const { what, by } = message;
          const log = await audit();
          await log.append({
            kind: 'message',
            time: new Date().toISOString(),
            run,
            step: '',
            what,
            by,
            refused,
          });
        }
      return { problems };
    },
  };
}
