import { DefaultFailureConverter } from '@temporalio/common';

/**
 * For encrypted histories: sends messages and stacks through the payload codec as well, instead of leaving them in the
 * clear.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
