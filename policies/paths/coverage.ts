import { forEachChild } from 'unbash';
import type { Command, Script, SyntaxNode } from 'unbash';

interface Found {
  /** Spans of words, assignments and redirections. */
  readonly spans: (readonly [start: number, end: number])[];
  groups: { round: number; curly: number };
}

/**
 * Whether the parse accounts for every character. The lenient parser skips signs that bash rejects, such as a lone
 * parenthesis; if the two disagree, the text is not plain words.
 */
export function isCovered(text: string, script: Script): boolean {
  const found: Found = { spans: [], groups: { round: 0, curly: 0 } };
  collect(found, script);
  let rest = '';
  let at = 0;
  for (const [start, end] of found.spans.toSorted(([a], [b]) => a - b)) {
    if (start < at) return false;
    // A character no syntax uses marks what is covered.
    rest += `${text.slice(at, start)}\uffff`;
    at = end;
  }
  rest = (rest + text.slice(at)).replaceAll(/(^|[\s;&|(){}])#[^\n]*/g, '$1');
  const { round, curly } = found.groups;
  return (
    rest.replaceAll(/\\\n|&&|\|&|[ \t\n\uffff;|(){}]/g, '') === '' &&
    count(rest, '(') === round &&
    count(rest, ')') === round &&
    count(rest, '{') === curly &&
    count(rest, '}') === curly
  );
}

const count = (text: string, sign: string): number => text.split(sign).length - 1;

function collect(found: Found, node: SyntaxNode): void {
  if (node.type === 'Command') return collectParts(found, node);
  if (node.type === 'Subshell') found.groups.round += 1;
  if (node.type === 'BraceGroup') found.groups.curly += 1;
  forEachChild(node, (child) => collect(found, child));
}

function collectParts({ spans }: Found, { name, prefix, suffix }: Command): void {
  for (const part of [...prefix, ...(name === undefined ? [] : [name]), ...suffix]) {
    spans.push([part.pos, part.end]);
    if (part.type === 'HereDoc') spans.push([part.body.pos, part.closing?.end ?? part.body.end]);
  }
}
