import { z } from 'zod';
import { splitList, toOperands, toOptions } from './commands/arg-spec.ts';
import { hooksSchema } from './hooks.ts';
import { askForOrder, seenOrder } from './policy.ts';
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
  written,
} from './rule-schema.ts';

const options = written(
  '"-s|--short", "-n number", "--format=text" or "--color[=text]", with commas',
  (text) => splitList(text).map(toOptions),
);
const operands = written('types of words such as "pattern path*"', toOperands);
const count = z.number().int().min(0);
const atLeastOne = z.number().int().min(1);

const otherwise = z.strictObject({
  given: z.array(line).min(1),
  and: z.array(line).min(1).optional(),
  operands,
});

const command = z.strictObject({
  verdict: verdict.optional(),
  reason: line.optional(),
  effect: z.enum(['pure', 'workspace', 'idempotent', 'external']).optional(),
  style: z.enum(['gnu', 'words']).optional(),
  options: options.optional(),
  ask_options: line.optional(),
  stop: z.boolean().optional(),
  operands: operands.optional(),
  otherwise: z.union([otherwise, z.array(otherwise).min(1)]).optional(),
  alone: z.boolean().optional(),
  lenient: z.boolean().optional(),
  fixed: z.array(line).optional(),
  last: z.array(line).optional(),
  ...examples,
});

/** A command or subcommand as written in tools.yaml. */
export interface CommandFile extends z.infer<typeof command> {
  readonly sub?: Record<string, CommandFile>;
}

const commandRule: z.ZodType<CommandFile> = command.extend({
  sub: z.lazy(() => z.record(z.string(), commandRule)).optional(),
});

const toolLimits = z.strictObject({
  calls: count.optional(),
  minutes: z.number().min(0).optional(),
  output_bytes: count.optional(),
});

const price = z.number().min(0).max(10_000);

export const toolsSchema = z.strictObject({
  version,
  tools: z.strictObject(lists(toolRule)),
  commands: z.record(z.string(), commandRule).optional(),
  shell: z
    .strictObject({
      verdict,
      unlisted: verdict.optional(),
      builtins: z.array(line).optional(),
      variables: z.strictObject(lists(variable)).optional(),
    })
    .optional(),
  workspace: z
    .strictObject({
      drift: z.enum(['adopt', 'restore', 'ask']).optional(),
      parallel_steps: count.optional(),
      promote: z.enum(['manual', 'auto']).optional(),
    })
    .optional(),
  untrusted: z
    .strictObject({ seen: z.enum(seenOrder).optional(), ask_for: z.enum(askForOrder).optional() })
    .optional(),
  hooks: hooksSchema.optional(),
  sandbox: z
    .strictObject({
      memory_bytes: atLeastOne.optional(),
      processes: atLeastOne.optional(),
      cpu_seconds: atLeastOne.optional(),
      file_bytes: atLeastOne.optional(),
      open_files: atLeastOne.optional(),
      tmp_bytes: atLeastOne.optional(),
      growth_bytes: atLeastOne.optional(),
    })
    .optional(),
  budgets: z
    .strictObject({
      steps: count.optional(),
      tool_calls: count.optional(),
      tokens: count.optional(),
      minutes: z.number().min(0).optional(),
      output_bytes: count.optional(),
      run_output_bytes: count.optional(),
      usd: z.number().min(0).optional(),
      model_calls: count.optional(),
      per_tool: z.record(z.string(), z.union([count, toolLimits])).optional(),
    })
    .optional(),
  prices: z
    .record(line, z.strictObject({ input: price, output: price, cached: price.optional() }))
    .optional(),
});

export const pathsSchema = z.strictObject({
  version,
  read: z.strictObject(lists(pathRule)).optional(),
  write: z.strictObject(lists(pathRule)).optional(),
  delete: z.strictObject(lists(pathRule)).optional(),
  limits: z
    .strictObject({ read_bytes: count.optional(), write_bytes: count.optional() })
    .optional(),
});

const commandWords = written('the first words of a command, such as "npm ci"', (text) => {
  if (!/^[A-Za-z0-9_.+-]+(?: [A-Za-z0-9_.:+-]+)*$/.test(text))
    throw new Error(`"${text}" is not the beginning of a command`);
});

export const networkSchema = z.strictObject({
  version,
  commands: z.array(commandWords).optional(),
  ...lists(hostRule),
});

export type ToolsFile = z.infer<typeof toolsSchema>;
export type PathsFile = z.infer<typeof pathsSchema>;
export type NetworkFile = z.infer<typeof networkSchema>;
