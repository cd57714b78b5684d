import type { World } from './world.ts';

/** One way to harm a run. */
export interface Fault {
  readonly name: string;
  /** Where it strikes, for the report. */
  readonly where: string;
  /** How often it is tried; an occasion is early, in the middle or late in the work. */
  readonly occasions: number;
  /** Why it cannot be tried on this machine. */
  readonly untried?: string;
  /**
   * Harms the run `id` in `world` (or in a world of its own) and checks it. Returns the seconds it stood still, or
   * undefined when the fault was never reached.
   */
  strike(world: World, id: string, occasion: number): Promise<number | undefined>;
}
