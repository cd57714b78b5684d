import { z } from 'zod';
import type { ReviewAnswer, ReviewRequest } from '../contract.ts';
import { readEvidence } from '../evidence.ts';
import { entry, findUnmet } from './ledger.ts';
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
        required: ['id', 'met', 'evidence'],
        properties: {
          id: { type: 'string' },
          met: { type: 'boolean' },
          evidence: { type: 'array', items: { type: 'integer' } },
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
  const prompt = toReviewPrompt({
    goal: request.goal,
    approach: plan.approach,
    steps: plan.steps,
    claims: request.claims,
    ...(request.findings === undefined ? {} : { findings: await blobs.getText(request.findings) }),
    requirements,
    evidence: step === undefined ? all : all.filter((observation) => observation.step === step.id),
    // Four characters a token; the other half is for goal, criteria and answer.
    recordLength: contextTokens * 2,
    ...(step === undefined ? {} : { step }),
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
      // The model may think less of the work than the record shows, never more.
      const unmet = findUnmet(requirements, parsed.data.requirements, all);
      const isLowered = parsed.data.verdict === 'accept' && unmet.length > 0;
      const verdict = isLowered ? 'replan' : parsed.data.verdict;
      const notes = isLowered ? [...unmet, parsed.data.notes].join('\n') : parsed.data.notes;
      return {
        ok: true,
        value: { verdict, notes: await blobs.put(notes), head: notes.slice(0, 300) },
      };
    },
  });
}
