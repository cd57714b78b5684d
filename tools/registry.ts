import type { Action, ToolCall } from '../policies/action.ts';
import type { Tool } from './tool.ts';

type Args = ToolCall['args'];

/** The tools of a run: the only thing that knows a tool by its name. */
export interface Registry {
  /** In the order shown to the model. */
  readonly tools: readonly Tool[];
  readonly find: (name: string) => Tool | undefined;
  /** Those a model is offered in a turn. */
  readonly toOffered: (turn: {
    /** Names of tools that cannot be used. */
    readonly without?: readonly string[];
    /** The run is over, and the model may only say how it ended. */
    readonly lastWord?: boolean;
  }) => readonly Tool[];
  /** The call with what it would do, for a policy to judge. Total: what is wrong with a call is judged, too. */
  readonly toAction: (call: ToolCall) => Action;
  /** Some valid call of a tool. */
  readonly toSample: (tool: string, workspace: string) => Action;
  /** Checks what a model wrote as the arguments of a call. */
  readonly parseArguments: (name: string, text: string) => ParsedArguments;
  /** At most 160 characters, for people. */
  readonly toPreview: (name: string, args: Args) => string;
}

export type ParsedArguments =
  { readonly ok: true; readonly args: Args } | { readonly ok: false; readonly reason: string };

/** Merges lists of tools: the built-in ones, and what a run has besides. @throws Error when two have one name. */
export function createRegistry(...lists: readonly (readonly Tool[])[]): Registry {
  const tools = lists.flat();
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const names = tools.map(({ name }) => name);
  const double = names.find((name, index) => names.indexOf(name) < index);
  if (double !== undefined)
    throw new Error(`Two tools have the name ${double}. Rename one of them.`);
  const find = (name: string): Tool | undefined => byName.get(name) ?? toUndiscovered(name);
  const toAction = (call: ToolCall): Action => ({
    ...call,
    access: toAccess(find(call.tool), call.args),
  });
  return {
    tools,
    find,
    toAction,
    toSample: (tool, workspace) => toAction({ tool, args: find(tool)?.example ?? {}, workspace }),
    toOffered: ({ without = [], lastWord = false }) =>
      tools.filter(({ name, control }) =>
        lastWord ? control?.kind === 'finish' : !without.includes(name),
      ),
    parseArguments(name, text) {
      const tool = byName.get(name);
      if (tool !== undefined) return parseArguments(tool, text);
      return { ok: false, reason: `There is no tool "${name}". Tools: ${names.join(', ')}.` };
    },
    toPreview(name, args) {
      const tool = find(name);
      const isValid = tool !== undefined && tool.findProblem(args) === undefined;
      const text = isValid ? tool.toPreview(args) : JSON.stringify(args);
      const line = text.replaceAll(/\s+/g, ' ').trim() || '.';
      return line.length > maxPreview ? `${line.slice(0, maxPreview - 1)}…` : line;
    },
  };
}

const maxPreview = 160;

/** A tool of an MCP server that the run has not discovered: a policy may speak of it, and nothing carries it out. */
const toUndiscovered = (name: string): Tool | undefined =>
  /^mcp__[A-Za-z0-9_.-]+$/.test(name)
    ? {
        name,
        description: '',
        parameters: { type: 'object' },
        origin: 'mcp',
        section: 'tools',
        effect: 'external',
        foreign: true,
        example: {},
        findProblem: () => undefined,
        toAccess: () => ({ section: 'tools', effect: 'external' }),
        toPreview: (args) => JSON.stringify(args),
      }
    : undefined;

function toAccess(tool: Tool | undefined, args: unknown): Action['access'] {
  if (tool === undefined) return { section: 'unknown' };
  const { effect } = tool;
  try {
    const problem = isObject(args) ? tool.findProblem(args) : noObject;
    return problem === undefined
      ? tool.toAccess(args as Args)
      : { section: 'form', effect, problem };
  } catch (error) {
    return { section: 'form', effect, problem: `they cannot be read: ${String(error)}` };
  }
}

const noObject = 'they must be an object';

const isObject = (value: unknown): value is Args =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Broken JSON is never repaired: what looks like a small mistake may be the cut end of a file to be written. */
function parseArguments(tool: Tool, text: string): ParsedArguments {
  let value: unknown;
  try {
    value = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unreadable';
    const reason = `The arguments of ${tool.name} are not valid JSON (${why}). Send the call again, whole.`;
    return { ok: false, reason };
  }
  const refuse = (problem: string): ParsedArguments => ({
    ok: false,
    reason: `Invalid arguments for ${tool.name}: ${problem}.`,
  });
  if (!isObject(value)) return refuse(noObject);
  const args = toExpectedTypes(tool, value);
  const problem = tool.findProblem(args);
  return problem === undefined ? { ok: true, args } : refuse(problem);
}

/** Small models write numbers and booleans as text, and null for what they leave out. */
function toExpectedTypes({ parameters }: Tool, given: Args): Args {
  const properties = (parameters['properties'] ?? {}) as Record<string, { type?: string }>;
  const entries = Object.entries(given).filter(([, value]) => value !== null);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, toType(properties[key]?.type, value)]),
  );
}

function toType(type: string | undefined, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (type === 'integer' && /^\d{1,9}$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}
