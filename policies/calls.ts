/**
 * Checks tool arguments: types, ranges, no unknown keys. Strict on purpose: a policy can only judge what it
 * understands.
 */
export type ToolName =
  | 'read_file'
  | 'list_files'
  | 'search'
  | 'write_file'
  | 'edit_file'
  | 'delete_file'
  | 'run_command'
  | 'read_blob'
  | 'ask_human'
  | 'finish_step';

type Check = (value: unknown) => string | undefined;
interface Parameter {
  readonly check: Check;
  readonly optional: boolean;
}

const isText: Check = (value) => {
  if (typeof value !== 'string') return 'must be text';
  return value.isWellFormed() ? undefined : 'must be well-formed Unicode';
};
const isWhole =
  (min: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && Number(value) >= min
      ? undefined
      : `must be a whole number from ${min}`;
const isFlag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false');
const isRef: Check = (value) =>
  typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)
    ? undefined
    : 'must be a reference: sha256: and 64 hex digits';
const isSeconds: Check = (value) =>
  typeof value === 'number' && value > 0 && value <= 86_400
    ? undefined
    : 'must be a number of seconds up to 86400';
const maxCommand = 262_144;
const isWords: Check = (value) => {
  if (!Array.isArray(value) || value.length === 0) return 'must be a list of words';
  if (!value.every((word) => isText(word) === undefined)) return 'must be a list of words';
  const length = (value as readonly string[]).reduce((sum, word) => sum + word.length + 1, 0);
  return length > maxCommand ? `must have at most ${maxCommand} characters` : undefined;
};
/** A `search` filter narrows a folder and must not lead out of it. */
const isFilter: Check = (value) =>
  isText(value) ??
  (/^\/|(?:^|\/)\.\.(?:\/|$)|\0/.test(String(value))
    ? 'must be a pattern below the folder, without ".."'
    : undefined);

// Tabs and line breaks separate words; other control characters only mislead the reader.
// oxlint-disable-next-line no-control-regex
const deceiving = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const isCommand: Check = (value) => {
  const problem = isText(value);
  if (problem !== undefined) return problem;
  const text = String(value);
  if (text.length > maxCommand) return `must have at most ${maxCommand} characters`;
  return deceiving.test(text) ? 'contains a control character' : undefined;
};

const must = (check: Check): Parameter => ({ check, optional: false });
const may = (check: Check): Parameter => ({ check, optional: true });

const parameters: ReadonlyMap<string, Readonly<Record<string, Parameter>>> = new Map<
  ToolName,
  Record<string, Parameter>
>([
  ['read_file', { path: must(isText), startLine: may(isWhole(1)), endLine: may(isWhole(1)) }],
  ['list_files', { path: may(isText), depth: may(isWhole(0)) }],
  ['search', { pattern: must(isText), path: may(isText), glob: may(isFilter) }],
  ['write_file', { path: must(isText), content: must(isText) }],
  ['edit_file', { path: must(isText), old: must(isText), new: must(isText), all: may(isFlag) }],
  ['delete_file', { path: must(isText) }],
  [
    'run_command',
    {
      command: may(isCommand),
      argv: may(isWords),
      cwd: may(isText),
      timeoutSeconds: may(isSeconds),
    },
  ],
  ['read_blob', { ref: must(isRef), start: may(isWhole(0)), end: may(isWhole(0)) }],
  ['ask_human', { question: must(isText) }],
  ['finish_step', { summary: must(isText), evidence: must(isText) }],
]);

export const isKnownTool = (tool: string): tool is ToolName => parameters.has(tool);

/** What is wrong with the arguments, as the end of a sentence; undefined if they are valid. */
export function argsProblem(
  tool: ToolName,
  args: Readonly<Record<string, unknown>>,
): string | undefined {
  const known = Object.entries(parameters.get(tool) ?? {});
  const names = known.map(([name]) => name).join(', ');
  const extra = Object.keys(args).find((key) => !known.some(([name]) => name === key));
  if (extra !== undefined) return `"${extra.slice(0, 60)}" is not one of its arguments: ${names}`;
  for (const [name, { check, optional }] of known) {
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined) {
      if (!optional) return `"${name}" is missing`;
      continue;
    }
    const problem = check(value);
    if (problem !== undefined) return `"${name}" ${problem}`;
  }
}
