/** What was tried and what became of it: as a table, and as a page of the documentation. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Row {
  readonly name: string;
  readonly where: string;
  tried: number;
  survived: number;
  /** Tried, but the work never came to pass it. */
  missed: number;
  slowest: number;
  untried?: string;
}

export interface RandomTally {
  readonly seed: number;
  minutes: number;
  tried: number;
  survived: number;
  slowest: number;
  readonly kills: Map<string, number>;
}

export interface Tally {
  readonly rows: Row[];
  readonly broken: string[];
  random?: RandomTally;
  /** Set when somebody ended the suite before it was through. */
  interrupted?: true;
}

const file = fileURLToPath(new URL('../../docs/reports/chaos.md', import.meta.url));

const clock =
  '- A jump of the wall clock of Temporal and of its client library: theirs is that of the whole machine.';

const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const sum = (rows: readonly Row[], of: (row: Row) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);

export function renderFaults({ rows }: Tally): string {
  const tried = rows
    .filter((row) => row.tried > 0)
    .toSorted((a, b) => a.where.localeCompare(b.where));
  return table(
    ['fault', 'where', 'tried', 'survived', 'slowest recovery (s)'],
    [
      ...tried.map((row) => [
        `\`${row.name}\``,
        row.where,
        row.tried,
        row.survived,
        row.slowest.toFixed(1),
      ]),
      [
        `**${tried.length} faults**`,
        '',
        sum(tried, (row) => row.tried),
        sum(tried, (row) => row.survived),
        Math.max(0, ...tried.map((row) => row.slowest)).toFixed(1),
      ],
    ],
  );
}

function renderRandom({ seed, minutes, tried, survived, slowest, kills }: RandomTally): string {
  return [
    `${minutes.toFixed(1)} minutes, first seed ${seed}: ${tried} runs harmed, ${survived} survived, slowest recovery ${slowest.toFixed(1)} s.`,
    '',
    table(
      ['killed at random', 'times'],
      [...kills].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, n]) => [`\`${name}\``, n]),
    ),
  ].join('\n');
}

const git = (...args: readonly string[]): string =>
  execFileSync('git', [...args], { encoding: 'utf8' }).trim();

/** Writes docs/reports/chaos.md and returns its path. */
export function writeReport(tally: Tally, seconds: number): string {
  const { rows, random, broken } = tally;
  const untried = rows.flatMap(({ name, untried: why }) =>
    why === undefined ? [] : [`- \`${name}\`: ${why}`],
  );
  const missed = rows
    .filter((row) => row.missed > 0)
    .map(
      ({ name, missed: times }) => `- \`${name}\`: ${times} of its tries ended before it struck.`,
    );
  const changed =
    git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
  const sections = [
    '# Chaos report',
    'Written by `npm run chaos -- --all`; do not edit. What each fault does: `tests/chaos/`.',
    [
      `- Date: ${new Date().toISOString()}, ${Math.round(seconds / 60)} minutes`,
      `- Commit: ${git('rev-parse', 'HEAD')}${changed}`,
      `- Machine: ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, kernel ${release()}, Node ${process.version}`,
      `- Broken invariants: ${broken.length}`,
      ...(tally.interrupted ? ['- Interrupted: this is what was tried until then.'] : []),
    ].join('\n'),
    'After each fault: the workspace is that of the run without faults, each committed call is in the audit log exactly once, the log verifies, the mirror holds each event once, and no process, lease or temporary file is left. Recovery is the longest time after the fault without a step forward of the run; a command that takes its time counts as well.',
    '## Faults',
    renderFaults(tally),
    '## Random kills',
    random === undefined ? 'None in this run.' : renderRandom(random),
    '## Not tried',
    [
      ...untried,
      ...missed,
      ...(tally.interrupted ? ['- The rest: it was interrupted.'] : []),
      clock,
    ].join('\n'),
    ...(broken.length === 0 ? [] : ['## Broken', broken.map((line) => `- ${line}`).join('\n')]),
  ];
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${sections.join('\n\n')}\n`);
  return file;
}
