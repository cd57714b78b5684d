/** The requirement ledger: what the goal asks for, listed by the planner, each met with evidence or not. Pure. */
import { z } from 'zod';
import type { Observation } from '../contract/act.ts';

/** One thing the goal asks for. */
export interface Requirement {
  readonly id: string;
  readonly text: string;
}

/** Filled in by the reviewer; `evidence` are record numbers. */
export const entry = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  met: z.boolean(),
  /** The person's words that waive it. */
  waived: z
    .string()
    .nullish()
    .transform((given) => given ?? ''),
  evidence: z
    .array(z.union([z.number(), z.string()]))
    .nullish()
    .transform((given) => (given ?? []).map((one) => Number(String(one).replace('#', '')))),
});

export type Entry = Readonly<Omit<z.infer<typeof entry>, 'evidence' | 'waived'>> & {
  readonly evidence: readonly number[];
  readonly waived?: string;
};

/**
 * Requirements that do not count as met, each with the reason. Evidence must be an allowed call that succeeded; waived
 * requirements need none, and `isWaiver` checks that the quote is the person's.
 */
export function findUnmet(
  requirements: readonly Requirement[],
  entries: readonly Entry[],
  record: readonly Observation[],
  isWaiver: (quote: string) => boolean = () => false,
): string[] {
  const good = new Set(
    record.filter(({ ok, verdict }) => ok && verdict === 'allow').map(({ seq }) => seq),
  );
  return requirements.flatMap(({ id, text }) => {
    const found = entries.find((one) => one.id === id);
    if (isWaiver(found?.waived ?? '')) return [];
    if (found?.met !== true) return [`${id} (${text}) has not been proven.`];
    if (!found.evidence.some((seq) => good.has(seq)))
      return [
        `${id} (${text}) is claimed to be met, but no successful call in the record is named as proof.`,
      ];
    return [];
  });
}
