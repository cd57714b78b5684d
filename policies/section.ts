import { z } from 'zod';
import { parseYaml } from './yaml.ts';
import type { At, PolicyProblem, Report, Yaml } from './yaml.ts';

/** How mistakes in a file are described. */
export interface Telling {
  /** What is allowed instead of an unknown key. */
  readonly keys?: string;
  /**
   * For a workspace's file: the only words of it that may be repeated, since they are ours. Everything else is
   * described by place and kind, because a model may read the message.
   */
  readonly known?: ReadonlySet<string>;
}

/** Checks one file against its schema; mistakes go to `problems`. */
export function readSection<T extends z.ZodType>(
  file: string,
  text: string,
  schema: T,
  problems: PolicyProblem[],
  telling: Telling = {},
): { value: z.infer<T>; report: Report } | undefined {
  const yaml = readYaml(file, text, telling.known === undefined);
  if (!('value' in yaml)) {
    problems.push(...yaml);
    return undefined;
  }
  const parsed = schema.safeParse(yaml.value);
  if (parsed.success) {
    const report: Report = (at, message, expected) =>
      problems.push(yaml.problem(at, message, expected));
    return { value: parsed.data, report };
  }
  problems.push(...parsed.error.issues.flatMap((issue) => toProblems(yaml, issue, [], telling)));
  return undefined;
}

/** All keys of a schema, at any depth. */
export function listKeys(...schemas: readonly z.ZodType[]): ReadonlySet<string> {
  const keys = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (name === 'properties' && typeof inner === 'object' && inner !== null)
        for (const key of Object.keys(inner)) keys.add(key);
      visit(inner);
    }
  };
  for (const schema of schemas)
    visit(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return keys;
}

function readYaml(file: string, text: string, quotes: boolean): Yaml | readonly PolicyProblem[] {
  try {
    return parseYaml(file, text, { quotes });
  } catch (error) {
    const message = `the file cannot be read${quotes ? `: ${String(error)}` : ''}`;
    return [{ file, line: 1, column: 1, message, expected: 'one document of plain YAML 1.2' }];
  }
}

function toProblems(
  yaml: Yaml,
  issue: z.core.$ZodIssue,
  base: At,
  telling: Telling,
): PolicyProblem[] {
  const { keys = 'a key of the schema', known } = telling;
  const at = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? '' : step))];
  const name = at.length === 0 ? 'the file' : toName(at, known);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const shown = known?.has(key) === false ? 'unknown key' : `unknown key "${key}"`;
      return yaml.problem([...at, key], `${shown} in ${name}`, keys, true);
    });
  }
  if (issue.code === 'invalid_union') {
    // A rule is text or a mapping: assume the branch that got furthest was meant.
    const branch = issue.errors.toSorted((a, b) => reach(b) - reach(a))[0] ?? [];
    if (reach(branch) > 0) return branch.flatMap((nested) => toProblems(yaml, nested, at, telling));
    return [yaml.problem(at, `${name} is neither text nor a mapping`, 'a pattern or a rule')];
  }
  if (issue.code === 'invalid_type') {
    const found = toFound(yaml.value, at, known);
    return [yaml.problem(at, `${name} ${found}`, expectedOf(issue.expected))];
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
    const found = toFound(yaml.value, at, known);
    return [yaml.problem(at, `${name} ${found}`, values)];
  }
  const isCustom = issue.code === 'custom';
  const expected = isCustom ? String(issue.params?.['expected']) : issue.message;
  // Our own messages may quote the value unless they say otherwise.
  const isQuoting = isCustom && issue.params?.['quotes'] !== false;
  const message = known !== undefined && isQuoting ? 'it cannot be used' : issue.message;
  return [yaml.problem(at, `${name}: ${message}`, expected)];
}

const maxShown = 60;

/** What was found at the path, for a person; only its kind if it must not be repeated. */
function toFound(root: unknown, at: At, known: Telling['known']): string {
  let value = root;
  for (const step of at) {
    if (typeof value !== 'object' || value === null) return 'is missing';
    value = (value as Record<string | number, unknown>)[step];
  }
  if (value === undefined) return 'is missing';
  if (known !== undefined) return `is ${toKind(value)}`;
  const text = JSON.stringify(value);
  return `is ${text.length > maxShown ? `${text.slice(0, maxShown)}…` : text}`;
}

function toKind(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = { string: 'text', number: 'a number' };
  return kinds[typeof value] ?? (typeof value === 'object' ? 'a mapping' : 'true or false');
}

const reach = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(
    0,
    ...issues.map(
      ({ code, path }) => path.length + (code === 'unrecognized_keys' || code === 'custom' ? 1 : 0),
    ),
  );

const expectedOf = (type: string): string =>
  ({
    object: 'a mapping',
    record: 'a mapping',
    array: 'a list',
    string: 'text',
    int: 'a whole number',
  })[type] ?? type;

const toName = (at: At, known: Telling['known']): string =>
  at
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return known?.has(step) === false ? '.…' : `.${step}`;
    })
    .join('')
    .replace(/^\./, '');
