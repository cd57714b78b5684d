/**
 * Guardrail hooks: commands that must succeed, from the operator (`tools.yaml`) or a workspace (`.agent/hooks.yaml`).
 */
import { z } from 'zod';
import type { Hook } from './policy.ts';
import { listKeys, readSection } from './section.ts';
import type { At, PolicyProblem, Report } from './yaml.ts';

const usualTimeoutSeconds = 300;
const maxHooks = 20;

const hook = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][\w. -]{0,39}$/),
    command: z.string().min(1).max(2_000).optional(),
    argv: z.array(z.string().min(1).max(2_000)).min(1).max(200).optional(),
    when: z.enum(['after-step', 'at-end']).optional(),
    timeoutSeconds: z.number().int().min(1).max(3_600).optional(),
    required: z.boolean().optional(),
  })
  .superRefine(({ command, argv }, context) => {
    if ((command === undefined) !== (argv === undefined)) return;
    const message = argv === undefined ? 'it has no command' : 'it has both';
    const expected = 'either command: npm test, or argv: [npm, test]';
    const params = { expected, quotes: false };
    context.addIssue({ code: 'custom', message, params });
  });

export const hooksSchema = z.array(hook).max(maxHooks);

type HooksFile = z.infer<typeof hooksSchema>;

/** `at`: where the list is in its file. */
export function compileHooks(entries: HooksFile, at: At, report: Report): Hook[] {
  const names = new Set<string>();
  return entries.map(({ name, command = '', argv, when, timeoutSeconds, required }, index) => {
    if (names.has(name))
      report(
        [...at, index, 'name'],
        `hooks[${index}].name is that of another hook`,
        'another name',
      );
    names.add(name);
    return {
      name,
      command: argv === undefined ? { command } : { argv },
      when: when ?? 'at-end',
      timeoutSeconds: timeoutSeconds ?? usualTimeoutSeconds,
      required: required ?? true,
    };
  });
}

const fileSchema = z.strictObject({ version: z.literal(1), hooks: hooksSchema });

export type ParsedHooks =
  | { readonly ok: true; readonly hooks: readonly Hook[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** Parses `hooks.yaml` and reports every mistake at once. */
export function parseHooks(text: string): ParsedHooks {
  const problems: PolicyProblem[] = [];
  const keys = 'version, or hooks with name, command or argv, when, timeoutSeconds, required';
  const read = readSection('hooks.yaml', text, fileSchema, problems, {
    keys,
    known: listKeys(fileSchema),
  });
  const hooks = read === undefined ? [] : compileHooks(read.value.hooks, ['hooks'], read.report);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, hooks };
}
