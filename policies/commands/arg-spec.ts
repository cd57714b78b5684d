/**
 * Parses the argument notation of tools.yaml. Options as in a man page: `-s|--short` · `-n number` (attached or the
 * next word) · `--format=text` (attached only) · `--color[=text]` · `-m name ...` (the rest belongs to another command)
 * · `-NUM`. Operands: `pattern path*`.
 */
export type ArgType =
  { readonly kind: Kind } | { readonly kind: 'one-of'; readonly values: readonly string[] };

/**
 * `path` is read, `move` read and deleted, `target` written (if it is a folder, under the names of the sources);
 * `revision` may also be a path; `pathspec` is a path as git reads it; `source` is a path that must not be a response
 * file (`@file`); `module` a package name; `waste` a build output folder, deleted recursively; `print` a sed script and
 * `awk` an awk program that only print; `command` is judged as a command, `reader` as one that must not change
 * anything.
 */
type Kind = (typeof kinds)[number];
const kinds = [
  'path',
  'write',
  'delete',
  'move',
  'target',
  'folder',
  'revision',
  'pathspec',
  'source',
  'module',
  'waste',
  'pattern',
  'text',
  'number',
  'name',
  'mode',
  'print',
  'awk',
  'command',
  'reader',
] as const;

export interface Option {
  readonly name: string;
  readonly takes: 'nothing' | 'required' | 'attached' | 'optional';
  readonly type: ArgType;
  /** The words after it belong to another command. */
  readonly last: boolean;
}

export interface Operands {
  readonly text: string;
  readonly before: readonly ArgType[];
  /** How many of `before` are required. */
  readonly required: number;
  readonly many?: { readonly type: ArgType; readonly min: number };
  readonly after: readonly ArgType[];
}

class ArgSpecError extends Error {
  override readonly name = 'ArgSpecError';
}

const text: ArgType = { kind: 'text' };

function toArgType(spec: string): ArgType {
  const values = /^<([^<>]+)>$/.exec(spec)?.[1];
  if (values !== undefined) return { kind: 'one-of', values: values.split(',') };
  const kind = kinds.find((known) => known === spec);
  if (kind === undefined) {
    throw new ArgSpecError(
      `"${spec}" is not a type of argument; expected ${kinds.join(', ')} or <a,b>`,
    );
  }
  return { kind };
}

/** Entries are separated by a comma and a space: `<a,b>` is one entry. */
export const splitList = (spec: string): string[] =>
  spec
    .split(/,\s+/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

/** One entry per name: `-s|--short` gives two. */
export function toOptions(spec: string): Option[] {
  const match =
    /^(?<names>-[^\s=[\]|]+(?:\|-[^\s=[\]|]+)*)(?:(?<gap>[ =])(?<type>\S+)|\[=?(?<optional>[^\]]+)\])?(?<last> \.\.\.)?$/.exec(
      spec,
    );
  const groups = match?.groups;
  if (groups?.['names'] === undefined) {
    throw new ArgSpecError(`"${spec}" is not an option; expected "-s|--short" or "-n number"`);
  }
  const { gap, type, optional, last } = groups;
  const takes =
    optional !== undefined
      ? 'optional'
      : gap === '='
        ? 'attached'
        : gap === ' '
          ? 'required'
          : 'nothing';
  const argType = toArgType(optional ?? type ?? 'text');
  return groups['names']
    .split('|')
    .map((name) => ({ name, takes, type: argType, last: last !== undefined }));
}

/** At most one part may repeat (`*` or `+`); optional parts (`?`) come before it. */
export function toOperands(spec: string): Operands {
  const before: ArgType[] = [];
  const after: ArgType[] = [];
  let many: Operands['many'];
  let required = 0;
  for (const part of spec.split(' ').filter((word) => word !== '')) {
    const quantifier = /[?*+]$/.exec(part)?.[0];
    const type = toArgType(quantifier === undefined ? part : part.slice(0, -1));
    if (quantifier === '*' || quantifier === '+') {
      if (many !== undefined) throw new ArgSpecError(`"${spec}" repeats two parts`);
      many = { type, min: quantifier === '+' ? 1 : 0 };
    } else if (many !== undefined) {
      if (quantifier === '?') throw new ArgSpecError(`"${part}" cannot follow a repeated part`);
      after.push(type);
    } else {
      if (quantifier === undefined && before.length > required) {
        throw new ArgSpecError(`"${part}" cannot follow an optional part`);
      }
      before.push(type);
      if (quantifier === undefined) required++;
    }
  }
  return { text: spec, before, required, many, after };
}

/** The type of each operand; undefined if the count does not fit. */
export function typesOf(operands: Operands, count: number): readonly ArgType[] | undefined {
  const { before, required, many, after } = operands;
  if (many === undefined) {
    return count >= required && count <= before.length ? before.slice(0, count) : undefined;
  }
  if (count < required + many.min + after.length) return undefined;
  const first = Math.min(before.length, count - after.length - many.min);
  const repeated = count - after.length - first;
  return [
    ...before.slice(0, first),
    ...Array.from({ length: repeated }, () => many.type),
    ...after,
  ];
}

export const anyText = text;
