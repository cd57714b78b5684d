import { z } from 'zod';
import type { ReviewAnswer, ReviewRequest } from '../contract/model.ts';
import { readEvidence } from '../evidence.ts';
import { isWaiver } from '../waivers.ts';
import { entry, findUnmet } from './ledger.ts';
import type { Entry, Requirement } from './ledger.ts';
import type { FullPlan } from './plan.ts';
import { readJson } from './plan.ts';
import { reviewSystem, toReviewPrompt } from './review-prompt.ts';
import type { Role } from './role.ts';

const review = z.object({
  verdict: z.enum(['accept', 'retry', 'replan']),
  notes: z
    .string()
    .nullish()
    .transform((given) => given ?? ''),
  requirements: z
    .array(entry)
    .nullish()
    .transform((given) => given ?? []),
});

const reviewSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['verdict', 'notes', 'requirements'],
  properties: {
    verdict: { type: 'string', enum: ['accept', 'retry', 'replan'] },
    notes: { type: 'string' },
    requirements: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'met', 'evidence', 'waived'],
        properties: {
          id: { type: 'string' },
          met: { type: 'boolean' },
          evidence: { type: 'array', items: { type: 'integer' } },
          waived: { type: 'string' },
        },
      },
    },
  },
};

/** Is the step, or the whole work, done? */
export async function askReview({ blobs, contextTokens, ask }: Role, request: ReviewRequest) {
  const plan = await blobs.getJson<FullPlan>(request.plan);
  const all = await readEvidence(blobs, request.evidence);
  const step = plan.steps.find(({ id }) => id === request.step);
  const requirements = request.scope === 'run' ? (plan.requirements ?? []) : [];
  const { said = [], goal } = request;
  const problems = (request.problems ?? []).map((text, at) => ({ id: `problem-${at + 1}`, text }));
  const isTheirs = (quote: string): boolean => isWaiver(quote, said, goal);
  /** Whether it was asked to reconsider an objection the person has waived; done once. */
  let isAskedAgain = false;
  const prompt = toReviewPrompt({
    goal: request.goal,
    approach: plan.approach,
    steps: plan.steps,
    claims: request.claims,
    findings: request.findings === undefined ? undefined : await blobs.getText(request.findings),
    requirements: [...requirements, ...problems],
    said,
    evidence: step === undefined ? all : all.filter((observation) => observation.step === step.id),
    // Four characters per token; the other half is for goal, criteria and answer.
    recordLength: contextTokens * 2,
    step,
  });
  return await ask<ReviewAnswer>({
    model: request.model,
    messages: [
      { role: 'system', text: reviewSystem },
      { role: 'user', text: prompt },
    ],
    schema: { name: 'review', schema: reviewSchema },
    async check(reply) {
      const json = readJson(reply.text);
      if (!json.ok) return json;
      const parsed = review.safeParse(json.value);
      if (!parsed.success) {
        return {
          ok: false,
          reason: 'Expected {"verdict": "accept" | "retry" | "replan", "notes": "…"}.',
        };
      }
      // The model may rate the work lower than the record shows, never higher.
      const entries = parsed.data.requirements;
      const unmet = findUnmet(requirements, entries, all, isTheirs);
      const unwaived = problems.filter((problem) => !isWaived(problem, entries, isTheirs));
      const against = [...requirements, ...problems].filter((one) =>
        isWaived(one, entries, isTheirs),
      );
      const isContrary =
        parsed.data.verdict !== 'accept' &&
        against.length > 0 &&
        unmet.length + unwaived.length === 0;
      if (isContrary && !isAskedAgain) {
        isAskedAgain = true;
        const ids = against.map(({ id }) => id).join(', ');
        return {
          ok: false,
          reason: `By your own list, the only things missing are ones the user waived (${ids}), and those cannot count against the work. Review it again without them.`,
        };
      }
      const isLowered = parsed.data.verdict === 'accept' && unmet.length > 0;
      const verdict = isLowered ? 'replan' : parsed.data.verdict;
      const notes = isLowered ? [...unmet, parsed.data.notes].join('\n') : parsed.data.notes;
      return {
        ok: true,
        value: {
          verdict,
          notes: await blobs.put(notes),
          head: notes.slice(0, 300),
          problems: request.problems === undefined ? undefined : unwaived.map(({ text }) => text),
        },
      };
    },
  });
}

const isWaived = (
  { id }: Requirement,
  entries: readonly Entry[],
  isTheirs: (quote: string) => boolean,
): boolean => entries.some((one) => one.id === id && isTheirs(one.waived ?? ''));
