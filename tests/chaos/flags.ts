/** Words of `npm run chaos`. */
import { parseArgs } from 'node:util';

export interface Flags {
  readonly points: boolean;
  readonly faults: boolean;
  readonly random: boolean;
  /** Undefined: a single random run. */
  readonly minutes?: number;
  readonly seed: number;
  /** Names to keep to; empty for all. */
  readonly only: readonly string[];
  /** Also writes the report. */
  readonly all: boolean;
}

export const usage = `npm run chaos -- [--all] [--points] [--faults] [--random] [--minutes N] [--seed S] [--only <name>]…
  --points     every failpoint, three times (with --faults what happens without words)
  --faults     what comes from outside: killed processes, full disks, a model server that is away …
  --random     random kills: a single run, or runs for --minutes N; --seed S repeats a choice
  --only NAME  only faults of this name; repeatable
  --all        all of them, 20 minutes of random kills, and docs/reports/chaos.md`;

/** @throws Error saying which word is wrong. */
export function parseFlags(words: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...words],
    options: {
      all: { type: 'boolean', default: false },
      points: { type: 'boolean', default: false },
      faults: { type: 'boolean', default: false },
      random: { type: 'boolean', default: false },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const { all, points, faults, random, only } = values;
  const minutes = parseNumber('--minutes', values.minutes) ?? (all ? 20 : undefined);
  const seed = parseNumber('--seed', values.seed) ?? Date.now() % 2 ** 32;
  const everything = all || !(points || faults || random);
  return {
    points: everything || points,
    faults: everything || faults,
    random: all || random,
    minutes,
    seed,
    only,
    all,
  };
}

function parseNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new Error(`${name} must be a number from 0, got "${text}".`);
}
