/** Unified diffs in reading order: sources first, then tests, then generated files. */
import { isTestFile } from '../files/test-changes.ts';
import { toStoredView } from './compare.ts';
import { splitNul } from './git.ts';
import type { BytePath } from './byte-path.ts';
import type { Shadow } from './shadow.ts';

const generated =
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|go\.(?:sum|work\.sum)|gradle\.lockfile|packages\.lock\.json|[\w.-]+\.lock)$|\.(?:min\.(?:js|css)|map|snap|pb\.go|g\.dart)$|_pb2(?:_grpc)?\.pyi?$|\.generated\.\w+$|(?:^|\/)(?:dist|build|out|vendor|generated|__generated__|__snapshots__|coverage)\//;

/** 0 source, 1 test, 2 generated. Pure. */
export const rankPath = (path: string): number =>
  generated.test(path) ? 2 : isTestFile(path) ? 1 : 0;

const options = ['--no-ext-diff', '--no-textconv', '--no-color', '-M'];

/** The diff of two trees, except the paths in `without`. Bytes: one character each. */
export async function renderTrees(
  shadow: Shadow,
  before: string,
  after: string,
  without: ReadonlySet<BytePath>,
): Promise<string> {
  const view = toStoredView(shadow);
  const [text, words] = await Promise.all([
    shadow.git(view, ['diff', ...options, before, after]),
    shadow.git(view, ['diff', ...options, '--name-status', '-z', before, after]),
  ]);
  return orderDiff(text, toNames(splitNul(words)), without);
}

/** The path of each part of a diff: a file that became a link, or vice versa, has two. Pure. */
export function toNames(words: readonly string[]): BytePath[] {
  const names: BytePath[] = [];
  for (let at = 0; at < words.length;) {
    const [status = '', path = '', to = ''] = words.slice(at, at + 3);
    const moved = /^[RC]/.test(status);
    names.push(moved ? to : path);
    if (status === 'T') names.push(path);
    at += moved ? 3 : 2;
  }
  return names;
}

/** Pure. Within a part, only the first line starts with `diff --git`. */
export function orderDiff(
  text: string,
  names: readonly BytePath[],
  without: ReadonlySet<BytePath>,
): string {
  const parts = text.split(/^(?=diff --git )/m).filter((part) => part !== '');
  // Cannot tell the parts apart: leave the diff in git's order.
  if (parts.length !== names.length) return text;
  return parts
    .map((part, index) => ({ part, path: names[index] ?? '' }))
    .filter(({ path }) => !without.has(path))
    .map((each) => ({ ...each, rank: rankPath(each.path) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ part }) => part)
    .join('');
}
