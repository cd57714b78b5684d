import { DefaultFailureConverter } from '@temporalio/common';

/** For encrypted histories: messages and stacks go through the payload codec, too, instead of standing beside it. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
