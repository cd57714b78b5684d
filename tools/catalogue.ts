import { z } from 'zod';

/** A tool as the model sees it. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly args: z.ZodObject;
  /** Handled by the workflow itself (`finish_step`, `ask_human`), never by `act`. */
  readonly control?: true;
  /** Changes the workspace. `run_command` may; the policy knows which commands do. */
  readonly mutating: boolean;
}

const path = z.string().min(1).describe('Relative to the workspace root.');
const line = z.number().int().min(1);

/** All built-in tools, in the order shown to the model. Units are part of the names. */
export const catalogue: readonly Tool[] = [
  {
    name: 'list_files',
    description:
      'List a folder of the workspace as a tree with sizes. Start here to get an overview.',
    args: z.strictObject({
      path: path.optional(),
      depth: z
        .number()
        .int()
        .min(1)
        .max(20)
        .optional()
        .describe('Levels below the folder; 3 if absent.'),
    }),
    mutating: false,
  },
  {
    name: 'read_file',
    description: 'Read a text file, all of it or a range of lines. Lines count from 1.',
    args: z.strictObject({ path, startLine: line.optional(), endLine: line.optional() }),
    mutating: false,
  },
  {
    name: 'search',
    description:
      'Search file contents with a regular expression (ripgrep syntax). Ignored files are skipped.',
    args: z.strictObject({
      pattern: z.string().min(1),
      path: path.optional(),
      glob: z
        .string()
        .min(1)
        .optional()
        .describe('Only files whose path matches, such as **/*.ts.'),
    }),
    mutating: false,
  },
  {
    name: 'write_file',
    description:
      'Write a whole text file; missing folders are created. To change part of a file, use edit_file.',
    args: z.strictObject({ path, content: z.string() }),
    mutating: true,
  },
  {
    name: 'edit_file',
    description:
      'Replace an exact piece of text in a file. `old` must occur exactly once, including white space; set `all` to replace every occurrence.',
    args: z.strictObject({
      path,
      old: z.string().min(1),
      new: z.string(),
      all: z.boolean().optional(),
    }),
    mutating: true,
  },
  {
    name: 'delete_file',
    description: 'Delete one file.',
    args: z.strictObject({ path }),
    mutating: true,
  },
  {
    name: 'run_command',
    description:
      'Run a program in the workspace, without network. Give `command` as text (plain words, &&, ||, ;, pipes, redirections) or `argv` as a list. Long output is shortened in the middle.',
    args: z.strictObject({
      command: z.string().min(1).optional(),
      argv: z.array(z.string()).min(1).optional(),
      cwd: path.optional(),
      timeoutSeconds: z.number().int().min(1).max(3600).optional().describe('120 if absent.'),
    }),
    mutating: true,
  },
  {
    name: 'read_blob',
    description:
      'Read more of an output that was shortened. `ref` is the sha256:… named in the notice.',
    args: z.strictObject({
      ref: z.string(),
      start: z.number().int().min(0).optional().describe('First character.'),
      end: z.number().int().min(1).optional().describe('Character after the last.'),
    }),
    mutating: false,
  },
  {
    name: 'ask_human',
    description:
      'Ask the user a question and wait for the answer. Only if you cannot find out or decide yourself.',
    args: z.strictObject({ question: z.string().min(1).max(2000) }),
    control: true,
    mutating: false,
  },
  {
    name: 'finish_step',
    description:
      'Report that the current step is done: what you achieved, and the evidence for each acceptance criterion (files, commands and their exit codes). A reviewer checks it.',
    args: z.strictObject({ summary: z.string().min(1), evidence: z.string() }),
    control: true,
    mutating: false,
  },
];

const byName = new Map(catalogue.map((tool) => [tool.name, tool]));

export const findTool = (name: string): Tool | undefined => byName.get(name);

/** The `parameters` servers expect: always a full object schema, without references. */
export const toParameters = (tool: Tool): Record<string, unknown> => {
  const { $schema: _, ...schema } = z.toJSONSchema(tool.args) as Record<string, unknown>;
  return schema;
};

export type ParsedArguments =
  | { readonly ok: true; readonly args: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly reason: string };

/**
 * Checks the arguments a model wrote. Never repairs broken JSON: an apparent slip may be the truncated end of a file.
 */
export function parseArguments(name: string, text: string): ParsedArguments {
  const tool = findTool(name);
  if (tool === undefined) {
    const names = catalogue.map((known) => known.name).join(', ');
    return { ok: false, reason: `There is no tool "${name}". Tools: ${names}.` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    return {
      ok: false,
      reason: `The arguments of ${name} are not valid JSON (${error instanceof Error ? error.message : 'unreadable'}). Send the complete call again.`,
    };
  }
  const parsed = tool.args.safeParse(toExpectedTypes(tool, value));
  if (parsed.success) return { ok: true, args: parsed.data };
  const problems = parsed.error.issues
    .map((issue) => `${issue.path.join('.') || 'arguments'}: ${issue.message}`)
    .join('; ');
  return { ok: false, reason: `Invalid arguments for ${name}: ${problems}.` };
}

/** Small models write numbers and booleans as text, and null for omitted fields. */
function toExpectedTypes(tool: Tool, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const properties = toParameters(tool)['properties'] as Record<string, { type?: string }>;
  const entries = Object.entries(value).filter(([, given]) => given !== null);
  return Object.fromEntries(
    entries.map(([key, given]) => {
      const type = properties[key]?.type;
      if (typeof given !== 'string') return [key, given];
      if (type === 'integer' && /^\d{1,9}$/.test(given)) return [key, Number(given)];
      if (type === 'boolean' && (given === 'true' || given === 'false'))
        return [key, given === 'true'];
      return [key, given];
    }),
  );
}

const previewLength = 160;

/** One line for people: the path, the command line, the question. */
export function toPreview(name: string, args: Readonly<Record<string, unknown>>): string {
  const text = (key: string): string => {
    const value = args[key];
    return typeof value === 'string' ? value : '';
  };
  const whole = (): string => {
    switch (name) {
      case 'run_command': {
        const { argv } = args;
        const command = Array.isArray(argv) ? argv.map(String).join(' ') : text('command');
        return args['cwd'] === undefined ? command : `${command} (in ${text('cwd')})`;
      }
      case 'search':
        return [text('pattern'), text('path'), text('glob')]
          .filter((part) => part !== '')
          .join(' in ');
      case 'read_file':
        return typeof args['startLine'] === 'number'
          ? `${text('path')}:${args['startLine']}`
          : text('path');
      case 'ask_human':
        return text('question');
      case 'finish_step':
        return text('summary');
      case 'read_blob':
        return text('ref');
      default:
        return text('path') || JSON.stringify(args);
    }
  };
  const flat = whole().replaceAll(/\s+/g, ' ').trim();
  return flat.length > previewLength ? `${flat.slice(0, previewLength - 1)}…` : flat || '.';
}
