/** What a workspace's policy files may contain; see tighten.ts. */
import { z } from 'zod';
import {
  examples,
  hostRule,
  line,
  lists,
  pathRule,
  toolRule,
  variable,
  verdict,
  version,
} from './rule-schema.ts';
import { pathsSchema, toolsSchema } from './schema.ts';

/** Rules a workspace may add: any that do not allow. */
const wishes = <T extends z.ZodType>(rule: T) => {
  const { deny, ask } = lists(rule);
  return { deny, ask };
};

const wish = z.strictObject({
  verdict: z.enum(['ask', 'deny']).optional(),
  reason: line.optional(),
  ...examples,
});

/** A command or subcommand for which a workspace wants a stricter verdict. */
export interface CommandWish extends z.infer<typeof wish> {
  readonly sub?: Record<string, CommandWish>;
}

const commandWish: z.ZodType<CommandWish> = wish.extend({
  sub: z.lazy(() => z.record(z.string(), commandWish)).optional(),
});

export const tightening = {
  tools: z.strictObject({
    version,
    tools: z.strictObject(wishes(toolRule)).optional(),
    commands: z.record(z.string(), commandWish).optional(),
    shell: z
      .strictObject({
        verdict: verdict.optional(),
        unlisted: verdict.optional(),
        variables: z.strictObject(wishes(variable)).optional(),
      })
      .optional(),
    budgets: toolsSchema.shape.budgets,
    untrusted: toolsSchema.shape.untrusted,
  }),
  paths: z.strictObject({
    version,
    read: z.strictObject(wishes(pathRule)).optional(),
    write: z.strictObject(wishes(pathRule)).optional(),
    delete: z.strictObject(wishes(pathRule)).optional(),
    limits: pathsSchema.shape.limits,
  }),
  network: z.strictObject({ version, ...wishes(hostRule) }),
};
