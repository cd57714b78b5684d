import { setImmediate as yieldToOthers } from 'node:timers/promises';

const maxBlockMs = 20;
let last = performance.now();

/** Yields the thread, for example to heartbeats, after a while. For loops whose length commands control. */
export async function pause(): Promise<void> {
  if (performance.now() - last < maxBlockMs) return;
  await yieldToOthers();
  last = performance.now();
}
