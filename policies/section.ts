import type { z } from 'zod';
import type { Report } from './compile.ts';
import { parseYaml } from './yaml.ts';
import type { At, PolicyProblem, Yaml } from './yaml.ts';

/** Reads one file by its schema; mistakes go to `problems`, with `keys` as what was expected of unknown keys. */
export function readSection<T extends z.ZodType>(
  file: string,
  text: string,
  schema: T,
  problems: PolicyProblem[],
  keys = 'a key of the schema',
): { value: z.infer<T>; report: Report } | undefined {
  const yaml = readYaml(file, text);
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
  problems.push(...parsed.error.issues.flatMap((issue) => toProblems(yaml, issue, [], keys)));
  return undefined;
}

function readYaml(file: string, text: string): Yaml | readonly PolicyProblem[] {
  try {
    return parseYaml(file, text);
  } catch (error) {
    const message = `the file cannot be read: ${String(error)}`;
    return [{ file, line: 1, column: 1, message, expected: 'one document of plain YAML 1.2' }];
  }
}

function toProblems(yaml: Yaml, issue: z.core.$ZodIssue, base: At, keys: string): PolicyProblem[] {
  const at = [...base, ...issue.path.map((step) => (typeof step === 'symbol' ? '' : step))];
  const name = at.length === 0 ? 'the file' : toName(at);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      yaml.problem([...at, key], `unknown key "${key}" in ${name}`, keys, true),
    );
  }
  if (issue.code === 'invalid_union') {
    // A rule is a text or a mapping: what was meant is the branch that got furthest.
    const branch = issue.errors.toSorted((a, b) => reach(b) - reach(a))[0] ?? [];
    if (reach(branch) > 0) return branch.flatMap((nested) => toProblems(yaml, nested, at, keys));
    return [yaml.problem(at, `${name} is neither text nor a mapping`, 'a pattern or a rule')];
  }
  if (issue.code === 'invalid_type') {
    const found = toFound(yaml.value, at);
    return [yaml.problem(at, `${name} ${found}`, expectedOf(issue.expected))];
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
    const found = toFound(yaml.value, at);
    return [yaml.problem(at, `${name} ${found}`, values)];
  }
  const expected = issue.code === 'custom' ? String(issue.params?.['expected']) : issue.message;
  return [yaml.problem(at, `${name}: ${issue.message}`, expected)];
}

const longestShown = 60;

/** What stands at the path, as a person reads it. */
function toFound(root: unknown, at: At): string {
  let value = root;
  for (const step of at) {
    if (typeof value !== 'object' || value === null) return 'is missing';
    value = (value as Record<string | number, unknown>)[step];
  }
  if (value === undefined) return 'is missing';
  const text = JSON.stringify(value);
  return `is ${text.length > longestShown ? `${text.slice(0, longestShown)}…` : text}`;
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

const toName = (at: At): string =>
  at
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
