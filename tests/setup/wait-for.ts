import { setTimeout } from 'node:timers/promises';

type Found<T> = Exclude<T, undefined | null | false>;

/**
 * Looks every 10 ms until `look` finds something, and returns it; whatever it throws ends the wait.
 * @throws Error that names what did not come within `ms`; a function may name what there is instead.
 */
export async function waitFor<T>(
  what: string | (() => string),
  look: () => T | Promise<T>,
  ms = 30_000,
): Promise<Found<T>> {
  for (const deadline = Date.now() + ms; ; await setTimeout(10)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found as Found<T>;
    if (Date.now() > deadline)
      throw new Error(`Waited ${ms} ms for ${typeof what === 'string' ? what : what()}.`);
  }
}
