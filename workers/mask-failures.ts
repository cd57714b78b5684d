import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { redactValue } from '../policies/secrets/redaction.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';

/** Redacts what activities throw before Temporal records it: messages, stacks and details. */
export const maskFailures =
  (redactor: Redactor): ActivityInterceptorsFactory =>
  () => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          maskError(redactor, error);
          throw error;
        }
      },
    },
  });

const maxCauses = 10;

/** In place, because retries depend on an error's type and identity. */
function maskError(redactor: Redactor, error: unknown): void {
  let each = error;
  for (let depth = 0; each instanceof Error && depth < maxCauses; depth++) {
    const { message, stack } = each;
    const masked = redactor.mask(message);
    if (masked !== message) each.message = masked;
    if (stack !== undefined) each.stack = redactor.mask(stack);
    if (each instanceof ApplicationFailure && each.details)
      Object.assign(each, { details: redactValue(redactor, each.details) });
    each = each.cause;
  }
}
