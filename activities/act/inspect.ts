/** The gate: checks finished work in code before any model is asked. */
import { realpathSync } from 'node:fs';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { InspectRequest, InspectResult } from '../contract/inspection.ts';
import type { Observation } from '../contract/act.ts';
import { readEvidence } from '../evidence.ts';
import { mayWaive } from '../waivers.ts';
import { readText } from '../files/files.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { FileChange, Snapshots } from '../snapshots/snapshots.ts';
import { PathRefused } from '../files/walk.ts';
import { findWeakened } from '../files/test-changes.ts';
import type { Transactions } from './transactions.ts';

const maxDiffLength = 24_000;
const maxManifestBytes = 256 * 1024;

export interface InspectDependencies {
  readonly blobs: BlobStore;
  readonly transactions: Transactions;
  readonly sandbox: Sandbox;
}

interface Judged {
  /** Reasons to refuse the work. */
  readonly problems: readonly string[];
  /** For the reviewer to weigh. */
  readonly remarks: readonly string[];
}

export async function inspectWork(
  { blobs, transactions, sandbox }: InspectDependencies,
  { run, workspace, base, evidence: head, claims, goal = '' }: InspectRequest,
): Promise<InspectResult> {
  const root = realpathSync(workspace);
  const evidence = await readEvidence(blobs, head);
  return await transactions.exclusive(root, run, async ({ snapshots, know }) => {
    const { tree } = await snapshots.capture();
    know(tree);
    const { changes, ignored } = await snapshots.sortChanges(base, tree);
    const changed = changes.map(({ path }) => path);
    const diff = changed.length === 0 ? '' : await snapshots.renderDiff(base, tree, ignored);
    const judged = [
      judgeTests(diff, claims),
      await judgeChecks({ snapshots, evidence, tree, root, changed, sandbox }),
    ];
    const problems = judged.flatMap((each) => each.problems);
    const remarks = judged.flatMap((each) => each.remarks);
    const shown = diff.length > maxDiffLength ? `${diff.slice(0, maxDiffLength)}\n[…]` : diff;
    const text = [...problems, ...remarks, ...tellIgnored(ignored), '', shown].join('\n').trim();
    return {
      problems,
      findings: await blobs.put(text),
      mayBeWaived: mayWaive(goal) ? true : undefined,
    };
  });
}

const maxIgnored = 10;

/** Mentions what the diff leaves out. */
function tellIgnored(ignored: readonly FileChange[]): string[] {
  if (ignored.length === 0) return [];
  const names = ignored.slice(0, maxIgnored).map(({ path }) => path);
  const more = ignored.length > names.length ? ', …' : '';
  return [
    `Also changed, but not shown because git ignored it before the run: ${names.join(', ')}${more} (${ignored.length}).`,
  ];
}

/** A test may be weakened for a reason: the executor states it and the reviewer judges it. */
function judgeTests(diff: string, claims: readonly string[]): Judged {
  const weakened = findWeakened(diff);
  const said = claims.join('\n');
  const isSaid = (path: string): boolean => said.includes(path.slice(path.lastIndexOf('/') + 1));
  return {
    problems: weakened
      .filter(({ path }) => !isSaid(path))
      .map(
        ({ path, what }) =>
          `${path} ${what}, and nobody mentioned it. Restore it, or name the file and the reason when you finish the step.`,
      ),
    remarks: weakened
      .filter(({ path }) => isSaid(path))
      .map(({ path, what }) => `${path} ${what}; the executor mentions it. Is the reason good?`),
  };
}

interface Work {
  readonly snapshots: Snapshots;
  readonly evidence: readonly Observation[];
  readonly tree: string;
  readonly root: string;
  readonly changed: readonly string[];
  readonly sandbox: Sandbox;
}

const isProse = (path: string): boolean => /\.(?:md|txt|rst|adoc)$|(?:^|\/)LICENSE$/i.test(path);

const remark = (text: string): Judged => ({ problems: [], remarks: [text] });
const problem = (text: string): Judged => ({ problems: [text], remarks: [] });

/** Tests must have passed on the current content of the workspace: an edit afterwards invalidates them. */
async function judgeChecks(work: Work): Promise<Judged> {
  const { evidence, changed, root, sandbox } = work;
  if (changed.every(isProse)) return { problems: [], remarks: [] };
  const known = findTestCommand(root);
  const runs = evidence.filter(({ test }) => test === true);
  const last = runs.findLast(({ hook }) => hook === undefined);
  if (runs.length === 0 && known === undefined)
    return remark('This workspace has no known test command, so no tests were run.');
  if (sandbox.kind === 'unavailable')
    return remark('Commands cannot be run on this machine, so no tests were run.');
  if (last?.verdict === 'deny')
    return remark(`The tests were not run: ${last.preview} was refused by ${last.rule}.`);
  if (last !== undefined && !last.ok && (await isCurrent(work, last)))
    return problem(`The tests fail: ${last.preview} ended with ${last.exitCode ?? 'an error'}.`);
  for (const green of runs.filter(({ ok }) => ok).toReversed())
    if (await isCurrent(work, green))
      return remark(`After the last edit, on the same files: ${green.preview} passed.`);
  const name = known ?? last?.preview ?? 'the tests';
  return problem(
    runs.length === 0
      ? `Files were changed but no tests were run. Run ${name} on its own, without a pipe, so that its exit code counts.`
      : `Files were changed after the last passing test run. Run ${name} again, after all other changes.`,
  );
}

/** Whether it ran on the current content; what other test runs and hooks left behind does not count as an edit. */
async function isCurrent({ snapshots, evidence, tree }: Work, of: Observation): Promise<boolean> {
  if (of.tree === undefined) return false;
  if ((await snapshots.compare(of.tree, tree)).length === 0) return true;
  const later = evidence.slice(evidence.indexOf(of) + 1);
  let before = of.tree;
  for (const { tree: after, test, hook } of later) {
    const isEdit = after !== undefined && after !== before && test !== true && hook === undefined;
    if (isEdit && (await snapshots.compare(before, after)).length > 0) return false;
    before = after ?? before;
  }
  return (await snapshots.compare(before, tree)).length === 0;
}

const manifests: readonly [file: string, fits: RegExp, command: string][] = [
  ['package.json', /"test"\s*:\s*"(?!echo \\"Error: no test specified)/, 'npm test'],
  ['Makefile', /^test:/m, 'make test'],
  ['pyproject.toml', /^\[tool\.pytest/m, 'pytest'],
  ['pytest.ini', /^/, 'pytest'],
  ['Cargo.toml', /^/, 'cargo test'],
  ['go.mod', /^/, 'go test ./...'],
];

/** How the workspace itself says it is tested. */
function findTestCommand(root: string): string | undefined {
  const read = (file: string): string | undefined => {
    try {
      return readText(root, file, { maxBytes: maxManifestBytes, authorize: () => undefined });
    } catch (error) {
      if (error instanceof PathRefused) return undefined;
      throw error;
    }
  };
  const found = manifests.find(([file, fits]) => {
    const text = read(file);
    return text !== undefined && fits.test(text);
  });
  return found?.[2];
}
