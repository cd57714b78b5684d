import { setImmediate as yieldToOthers } from 'node:timers/promises';

const maxBlockMs = 20;
let last = performance.now();

/** Lets others have the thread, such as heartbeats, when they have waited for some time. For loops over what commands make. */
export async function pause(): Promise<void> {
  if (performance.now() - last < maxBlockMs) return;
  await yieldToOthers();
  last = performance.now();
}
