/** The requirement ledger: what the goal asks for, listed by the planner, each met with evidence or not. Pure. */
import { z } from 'zod';
import type { Observation } from '../contract/act.ts';

/** One thing the goal asks for. */
export interface Requirement {
  readonly id: string;
  readonly text: string;
}

/** As the reviewer fills it in; `evidence` are numbers of the record. */
export const entry = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  met: z.boolean(),
  /** The person's words that say it is not wanted. */
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
 * Requirements that cannot count as met, each with the reason. Evidence is a call that was allowed and came out well; what the
 * person waived needs none, and `isWaiver` tells whether a quote is theirs.
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
