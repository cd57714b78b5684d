import { isAlias, isMap, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, ErrorCode } from 'yaml';

/** A fault in a policy file, with its position. Lines and columns count from 1. */
export interface PolicyProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly expected: string;
}

/** Position in the document: keys and indices from the root. */
export type At = readonly (string | number)[];

export interface Yaml {
  readonly value: unknown;
  /** Reports a fault at a position; `key: true` points at the key instead of its value. */
  problem(at: At, message: string, expected: string, key?: boolean): PolicyProblem;
}

/** Reports a fault that a schema cannot see. */
export type Report = (at: At, message: string, expected: string) => void;

const maxLength = 256 * 1024;

/**
 * Parses one plain YAML 1.2 document: no aliases, tags, merge keys, duplicate keys or second document. Without
 * `quotes`, problems do not quote the text.
 */
export function parseYaml(
  file: string,
  text: string,
  { quotes = true }: { readonly quotes?: boolean } = {},
): Yaml | readonly PolicyProblem[] {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const at = (offset: number, message: string, expected: string): PolicyProblem => ({
    file,
    ...place(offset),
    message,
    expected,
  });
  if (text.length > maxLength) {
    return [at(0, `the file has ${text.length} characters`, `at most ${maxLength}`)];
  }
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    merge: false,
    customTags: [],
    strict: true,
    lineCounter: lines,
    prettyErrors: false,
  });
  // After a syntax error the parser is lost: later errors are consequences.
  const lost = document.errors.find(({ code }) => code !== 'DUPLICATE_KEY');
  const faults = [...document.errors, ...document.warnings].filter(
    ({ code, pos }) => lost === undefined || code === 'DUPLICATE_KEY' || pos[0] <= lost.pos[0],
  );
  const problems = faults.map((fault) =>
    at(
      fault.pos[0],
      quotes ? firstLine(fault.message) : toFault(fault.code),
      'one document of plain YAML 1.2',
    ),
  );
  if (lost !== undefined) return problems;
  visit(document, (key, node) => {
    const offset = (isScalar(node) || isAlias(node)) && node.range ? node.range[0] : 0;
    if (isAlias(node)) {
      const alias = quotes ? `alias *${node.source}` : 'an alias';
      problems.push(at(offset, alias, 'the value itself: aliases are refused'));
    } else if (key === 'key' && (!isScalar(node) || typeof node.value !== 'string')) {
      problems.push(at(offset, 'a key that is not text', 'plain text as key'));
    } else if (key === 'key' && isScalar(node) && node.value === '__proto__') {
      problems.push(at(offset, 'the key "__proto__"', 'another name'));
    }
  });
  if (problems.length > 0) return problems;
  return {
    value: document.toJS({ maxAliasCount: 0 }),
    problem: (path, message, expected, key = false) =>
      at(offsetOf(document, path, key), message, expected),
  };
}

/** The parser's error without the offending text. */
function toFault(code: ErrorCode): string {
  if (code === 'DUPLICATE_KEY') return 'a key that is there already';
  if (code === 'MULTIPLE_DOCS') return 'a second document';
  if (code === 'TAG_RESOLVE_FAILED') return 'a tag';
  return `it is not plain YAML (${code.toLowerCase().replaceAll('_', ' ')})`;
}

const firstLine = (message: string): string => message.split('\n')[0] ?? message;

/** Offset of the longest part of the path that exists. */
function offsetOf(document: Document, path: At, key: boolean): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const [index, step] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && item.key.value === step,
      );
      if (pair === undefined) break;
      const keyAt = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
      const valueAt = rangeOf(pair.value);
      const isLast = index === path.length - 1;
      offset = (isLast && key ? keyAt : (valueAt ?? keyAt)) ?? offset;
      node = pair.value;
    } else if (hasItems(node) && typeof step === 'number') {
      node = node.items[step];
      offset = rangeOf(node) ?? offset;
    } else break;
  }
  return offset;
}

const hasItems = (node: unknown): node is { items: readonly unknown[] } =>
  typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items);

const rangeOf = (node: unknown): number | undefined =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? Number(node.range[0])
    : undefined;
