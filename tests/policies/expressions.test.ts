/** Every regular expression of the program, looked at for going back and forth over a text. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { parseSync, Visitor } from 'oxc-parser';
import { analyse } from 'scslre';
import { injectionPatterns } from '../../policies/untrusted/patterns.ts';
import { secretFormats } from '../../policies/secrets/formats.ts';

const root = new URL('../../', import.meta.url);

interface Expression {
  readonly source: string;
  readonly flags: string;
}

/** Read what the operator or the program itself writes, or what is short by its nature; the reason beside each. */
const excused: ReadonlyMap<string, string> = new Map([
  [String.raw`^ *(.+) \d+$`, 'the demo model, for a listing of at most 1,000 entries'],
  [String.raw`[^ \n]+\/(?= \(not listed\)$)`, 'the demo model, for the same listing'],
  [String.raw`^# +(.+)$`, 'the demo model, for a README as far as it is read'],
  [String.raw`\?.*$`, 'the address of a request, bounded by the HTTP parser'],
  [String.raw`\/+$`, 'an address or a path in the settings'],
  [String.raw`[^/]+\/*$`, 'the name of a folder, for a table of cases'],
  [String.raw`\[[^\]]*$|\[\^?\][^\]]*$`, 'a sed script of at most 2,000 characters'],
  [':[:$].*$', 'a name of at most 255 bytes'],
  [String.raw`^\s*(\S*)\s*([\s\S]*?)\s*$`, 'a line that a person types'],
  [String.raw`(\d+)\.(\d+)`, 'what git says of its version'],
  ['=+$', 'the base64 of our own key'],
]);

/** Whether matching takes a time that grows faster than the text, by a match or by trying each beginning. */
function isSlow({ source, flags }: Expression): boolean {
  const { reports } = analyse({ source, flags: flags.replace('v', 'u') });
  return reports.some(({ type }) => type !== 'Move' || !flags.includes('y'));
}

function findExpressions(file: string): Expression[] {
  const found: Expression[] = [];
  const { program } = parseSync(file, readFileSync(new URL(file, root), 'utf8'));
  new Visitor({
    Literal(node) {
      if (!('regex' in node)) return;
      const { pattern, flags } = node.regex;
      found.push({ source: pattern, flags });
    },
  }).visit(program);
  return found;
}

suite('no regular expression goes back and forth', () => {
  const files = globSync(
    '{activities,audit,cli,client,config,dashboard,demo,policies,tools,workers,workflows}/**/*.ts',
    { cwd: root },
  );

  test('in the sources', () => {
    const expressions = files.flatMap((file) =>
      findExpressions(file).map((expression) => ({ file, ...expression })),
    );
    assert.ok(expressions.length > 300, `${expressions.length} expressions`);
    const slow = expressions.filter(
      (expression) => !excused.has(expression.source) && isSlow(expression),
    );
    assert.deepEqual(slow, []);
  });

  test('in the tables that are put together from parts', () => {
    const expressions = [
      ...secretFormats.map(({ pattern }) => pattern),
      ...injectionPatterns.flatMap(({ expression, next }) => [
        expression,
        ...next.map((following) => following.expression),
      ]),
    ];
    assert.ok(expressions.length > 100, `${expressions.length} expressions`);
    assert.deepEqual(
      expressions.filter(isSlow).map(({ source }) => source),
      [],
    );
  });

  test('the analysis finds what it is for', () => {
    for (const { source, flags } of [/\s+$/, /(?:a|a)*b/, /a*a*b/, /"[^"]*"\s*:\s*x|\s*y/])
      assert.ok(isSlow({ source, flags }), source);
  });
});
