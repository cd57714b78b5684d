/** Finds tests weakened by a unified diff. Pure. */

export interface TestChange {
  readonly path: string;
  /** What happened, as a clause: `tests/a.test.ts was deleted`. */
  readonly what: string;
}

/** By the names test runners look for. */
export const isTestFile = (path: string): boolean =>
  /(?:^|\/)(?:tests?|__tests__|spec)\/|[._-](?:test|spec)\.\w+$|(?:^|\/)test_[^/]*\.py$|_test\.(?:go|py|rb)$|Tests?\.(?:java|kt|cs|php)$/.test(
    path,
  );

const assertion =
  /\b(?:assert\w*|expect\w*|should|require)\b\s*[.(!:]|\bt\.(?:is|ok|deepEqual|Error|Fatal)\w*\(|^\s*assert\b/;
const testCase =
  /\b(?:it|test|describe|suite)(?:\.\w+)?\s*\(|^\s*(?:async\s+)?def test_|\bfunc Test\w|#\[test\]|@Test\b/;
const skip =
  /\b(?:it|test|describe|suite|context)\.(?:skip|only|todo|fixme)\b|\bx(?:it|describe|test)\s*\(|\bf(?:it|describe)\s*\(|\{\s*(?:skip|only|todo)\s*:|\.skip\(\)|@(?:pytest\.mark\.(?:skip|xfail)|unittest\.skip|Disabled|Ignore)|\bt\.Skip|#\[ignore/;
const script = /^\s*"(?:pre|post)?(?:test|lint|check|typecheck)[^"]*"\s*:/;

interface FileDiff {
  readonly path: string;
  readonly deleted: boolean;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

function splitDiff(diff: string): FileDiff[] {
  return diff
    .split(/^diff --git /m)
    .slice(1)
    .map((part) => {
      const body = part.search(/^@@ /m);
      const head = body < 0 ? part : part.slice(0, body);
      const lines = body < 0 ? [] : part.slice(body).split('\n');
      const path =
        /^\+\+\+ b\/(.*)$/m.exec(head)?.[1] ??
        /^--- a\/(.*)$/m.exec(head)?.[1] ??
        /^rename to (.*)$/m.exec(head)?.[1] ??
        /^a\/(.*) b\/\1$/m.exec(head)?.[1] ??
        '';
      const of = (sign: string): string[] =>
        lines.filter((line) => line.startsWith(sign)).map((line) => line.slice(1));
      return { path, deleted: /^deleted file mode/m.test(head), added: of('+'), removed: of('-') };
    });
}

const count = (lines: readonly string[], pattern: RegExp): number =>
  lines.filter((line) => pattern.test(line)).length;

const countOf = (total: number, noun: string): string =>
  `${total} ${noun}${total === 1 ? '' : 's'}`;

function judge({ path, deleted, added, removed }: FileDiff): TestChange[] {
  if (/(?:^|\/)package\.json$/.test(path)) {
    const changed = removed.filter((line) => script.test(line) && !added.includes(line));
    return changed.map((line) => ({ path, what: `had its script changed: ${line.trim()}` }));
  }
  if (!isTestFile(path)) return [];
  if (deleted) return [{ path, what: 'was deleted' }];
  const skips = count(added, skip) - count(removed, skip);
  const lost = (pattern: RegExp): number => count(removed, pattern) - count(added, pattern);
  const [assertions, cases] = [lost(assertion), lost(testCase)];
  return [
    ...(skips > 0 ? [{ path, what: 'now has tests that are skipped or run alone' }] : []),
    ...(assertions > 0 ? [{ path, what: `lost ${countOf(assertions, 'assertion')}` }] : []),
    ...(cases > 0 ? [{ path, what: `lost ${countOf(cases, 'test')}` }] : []),
  ];
}

/** Every test that checks less than before; moved files do not count. */
export const findWeakened = (diff: string): TestChange[] => splitDiff(diff).flatMap(judge);
