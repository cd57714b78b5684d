import { z } from 'zod';
import type { Access, Effect } from '../policies/action.ts';

type Args = Readonly<Record<string, unknown>>;

/** What everyone reads of a tool: the model, the policy, the executor, the person. */
export interface Tool {
  readonly name: string;
  /** For the model. */
  readonly description: string;
  /** JSON Schema of the arguments, as servers want it: a full object without references. */
  readonly parameters: Args;
  readonly origin: 'built-in' | 'local' | 'mcp';
  /** The section of the policy that judges its calls. */
  readonly section: Access['section'];
  /** The most it can change. Of a single command the policy knows more. */
  readonly effect: Effect;
  /** Set when the workflow itself carries it out, never `act`. */
  readonly control?: Control;
  /** Files, programs or servers wrote what it returns, so it may try to give orders. */
  readonly foreign: boolean;
  /** Valid arguments. */
  readonly example: Args;
  /** What is wrong with the arguments, as the end of a sentence; undefined when they are valid. */
  findProblem(args: Args): string | undefined;
  /** What the call would do, for the policy to judge. Takes valid arguments, as do all the following. */
  toAccess(args: Args): Access;
  /** One line for people: the path, the command line, the question. */
  toPreview(args: Args): string;
  /** The whole call as text, and the arguments not in it; without it a person sees the arguments. */
  toShown?(args: Args): { readonly text: string; readonly rest: Args };
  /** The file's text after the call: a person is shown the difference before they answer. */
  toChanged?(args: Args, before: string): string;
  /** Paths of the files a result quotes, where the arguments do not say. */
  toQuoted?(result: string): readonly string[];
}

export interface Control {
  readonly kind: 'finish' | 'question';
  /** What the model reads as the call's result when the conversation goes on. */
  readonly reply: string;
}

interface Definition<S extends z.ZodObject> extends Pick<
  Tool,
  'name' | 'description' | 'effect' | 'foreign' | 'control' | 'toQuoted'
> {
  readonly args: S;
  readonly example: z.infer<S>;
  toAccess(args: z.infer<S>): Access;
  toPreview(args: z.infer<S>): string;
  toShown?(args: z.infer<S>): ReturnType<NonNullable<Tool['toShown']>>;
  toChanged?(args: z.infer<S>, before: string): string;
}

/** A built-in tool: its arguments are specified once, in zod. */
export function defineTool<S extends z.ZodObject>({ args: schema, ...rest }: Definition<S>): Tool {
  const { $schema: _, ...parameters } = z.toJSONSchema(schema) as Record<string, unknown>;
  return {
    ...rest,
    origin: 'built-in',
    section: rest.toAccess(rest.example).section,
    parameters,
    findProblem(args) {
      const parsed = schema.safeParse(args);
      return parsed.success ? undefined : parsed.error.issues.map(renderIssue).join('; ');
    },
  };
}

const renderIssue = ({ path, message }: z.core.$ZodIssue): string =>
  `${path.join('.') || 'arguments'}: ${message}`;
