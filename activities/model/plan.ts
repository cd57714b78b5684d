import { z } from 'zod';
import type { PlanAnswer, PlanRequest } from '../contract/model.ts';
import type { Checked } from './outcome.ts';
import { planSystem, toPlanPrompt } from './plan-prompt.ts';
import type { Role } from './role.ts';

// Small models number their steps, and write null for omitted fields.
const stepId = z
  .union([z.string(), z.number()])
  .transform(String)
  .pipe(z.string().regex(/^[\w.-]{1,20}$/, 'expected an id such as s1'));
const texts = z
  .array(z.string())
  .nullish()
  .transform((given) => given ?? []);
const text = z
  .string()
  .nullish()
  .transform((given) => given ?? '');

const step = z.object({
  id: stepId,
  title: z.string().min(1),
  detail: text,
  dependsOn: z
    .array(stepId)
    .nullish()
    .transform((given) => given ?? []),
  acceptance: texts,
});
const requirement = z.object({ id: stepId, text: z.string().min(1) });
const plan = z.object({
  approach: text,
  steps: z.array(step).min(1).max(12),
  /** Plans stored by older versions have none. */
  requirements: z.array(requirement).max(30).nullish(),
});

export type FullStep = z.infer<typeof step>;
export type FullPlan = z.infer<typeof plan>;

const string = { type: 'string' };
const strings = { type: 'array', items: string };

/** The schema servers are asked to enforce. Small and flat, because local servers support little of JSON Schema. */
const planSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['approach', 'requirements', 'steps'],
  properties: {
    approach: string,
    requirements: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'text'],
        properties: { id: string, text: string },
      },
    },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'title', 'detail', 'dependsOn', 'acceptance'],
        properties: {
          id: string,
          title: string,
          detail: string,
          dependsOn: strings,
          acceptance: strings,
        },
      },
    },
  },
};

/** Parses a plan: well-formed, unique ids, known dependencies without cycles. */
export function parsePlan(reply: string): Checked<FullPlan> {
  const json = readJson(reply);
  if (!json.ok) return json;
  const parsed = plan.safeParse(json.value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    return { ok: false, reason: `The plan does not match the schema: ${problems.join('; ')}.` };
  }
  const reason = findPlanProblem(parsed.data.steps);
  return reason === undefined ? { ok: true, value: parsed.data } : { ok: false, reason };
}

/** Extracts JSON, even from a code block or surrounding sentences. Never completes or repairs it. */
export function readJson(reply: string): Checked<unknown> {
  const inside = [
    reply,
    /```(?:json)?([\s\S]*?)```/.exec(reply)?.[1],
    reply.slice(reply.indexOf('{'), reply.lastIndexOf('}') + 1),
  ];
  let why = 'it is empty';
  for (const part of inside) {
    if (part === undefined || part.trim() === '') continue;
    try {
      return { ok: true, value: JSON.parse(part) };
    } catch (error) {
      if (part === reply && error instanceof Error) why = error.message;
    }
  }
  const reason = `The answer is not JSON (${why}). Answer with the JSON object only.`;
  return { ok: false, reason };
}

function findPlanProblem(steps: readonly FullStep[]): string | undefined {
  const ids = new Set(steps.map(({ id }) => id));
  if (ids.size < steps.length) return 'Two steps have the same id. Give each its own: s1, s2, s3.';
  for (const { id, dependsOn } of steps) {
    const unknown = dependsOn.find((other) => !ids.has(other));
    if (unknown !== undefined)
      return `Step ${id} depends on "${unknown}", which is not a step in the plan.`;
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
    : `The steps ${stuck.join(', ')} depend on each other in a cycle.`;
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
          notes: [...notes, ...(request.remarks ?? [])],
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
            title: title.replaceAll(/\s+/g, ' ').trim().slice(0, 80),
            dependsOn,
          })),
        },
      };
    },
  });
}
