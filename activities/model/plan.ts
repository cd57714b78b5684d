import { z } from 'zod';
import type { PlanAnswer, PlanRequest } from '../contract.ts';
import type { Checked } from './outcome.ts';
import { planSystem, toPlanPrompt } from './plan-prompt.ts';
import type { Role } from './role.ts';

const step = z.object({
  id: z.string().min(1).max(20),
  title: z.string().min(1),
  detail: z.string().default(''),
  dependsOn: z.array(z.string()).default([]),
  acceptance: z.array(z.string()).default([]),
});
const plan = z.object({ approach: z.string().default(''), steps: z.array(step).min(1).max(12) });

export type FullStep = z.infer<typeof step>;
export type FullPlan = z.infer<typeof plan>;

const text = { type: 'string' };
const texts = { type: 'array', items: text };

/** What the server is asked to hold the model to. Small and flat: local servers know little of JSON Schema. */
const planSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['approach', 'steps'],
  properties: {
    approach: text,
    steps: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'title', 'detail', 'dependsOn', 'acceptance'],
        properties: { id: text, title: text, detail: text, dependsOn: texts, acceptance: texts },
      },
    },
  },
};

/** Text to plan: well-formed, ids once, dependencies known and without cycles. */
export function parsePlan(reply: string): Checked<FullPlan> {
  const json = readJson(reply);
  if (!json.ok) return json;
  const parsed = plan.safeParse(json.value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    return { ok: false, reason: `The plan does not fit its form: ${problems.join('; ')}.` };
  }
  const reason = findPlanProblem(parsed.data.steps);
  return reason === undefined ? { ok: true, value: parsed.data } : { ok: false, reason };
}

/** JSON, also when the model put it in a code block. */
export function readJson(reply: string): Checked<unknown> {
  const fenced = /```(?:json)?\s*([\s\S]*?)```/.exec(reply)?.[1];
  try {
    return { ok: true, value: JSON.parse(fenced ?? reply) };
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unreadable';
    return {
      ok: false,
      reason: `The answer is not JSON (${why}). Answer with the JSON object only.`,
    };
  }
}

function findPlanProblem(steps: readonly FullStep[]): string | undefined {
  const ids = new Set(steps.map(({ id }) => id));
  if (ids.size < steps.length) return 'Two steps have the same id. Give each its own: s1, s2, s3.';
  for (const { id, dependsOn } of steps) {
    const unknown = dependsOn.find((other) => !ids.has(other));
    if (unknown !== undefined)
      return `Step ${id} depends on "${unknown}", which is no step of the plan.`;
  }
  const done = new Set<string>();
  for (let before = -1; done.size !== before;) {
    before = done.size;
    for (const { id, dependsOn } of steps)
      if (dependsOn.every((other) => done.has(other))) done.add(id);
  }
  const stuck = steps.filter(({ id }) => !done.has(id)).map(({ id }) => id);
  return stuck.length === 0
    ? undefined
    : `The steps ${stuck.join(', ')} depend on each other in a circle.`;
}

/** Goal → Plan. */
export async function askPlan({ blobs, ask }: Role, request: PlanRequest) {
  const [facts, ...notes] = await Promise.all(
    [request.facts, ...request.notes].map((ref) => blobs.getText(ref)),
  );
  return await ask<PlanAnswer>({
    model: request.model,
    messages: [
      { role: 'system', text: planSystem },
      {
        role: 'user',
        text: toPlanPrompt({
          goal: request.goal,
          facts: facts ?? '',
          notes,
          claims: request.claims ?? [],
          said: request.said,
        }),
      },
    ],
    schema: { name: 'plan', schema: planSchema },
    async check(reply) {
      const parsed = parsePlan(reply.text);
      if (!parsed.ok) return parsed;
      const { approach, steps } = parsed.value;
      return {
        ok: true,
        value: {
          plan: await blobs.putJson(parsed.value),
          approach: approach.slice(0, 300),
          steps: steps.map(({ id, title, dependsOn }) => ({
            id,
            title: title.slice(0, 80),
            dependsOn,
          })),
        },
      };
    },
  });
}
