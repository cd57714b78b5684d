import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Row {
  readonly name: string;
  /** What ours took, in `unit`. */
  readonly ours: number;
  /** What it is compared with, measured in the same run. */
  readonly baseline: number;
  readonly unit: 'ms' | 'bytes' | 'MB';
  /** Largest `ours / baseline` that meets the goal. */
  readonly limit: number;
  readonly note?: string;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Milliseconds from start to exit of a Node process. */
export async function timeProcess(
  args: readonly string[],
  env: Environment = process.env,
): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now() - started;
}

/** Two measurements in turn, so that a drifting machine hits both; medians after one warm-up of each. */
export async function pair(
  times: number,
  a: () => Promise<number>,
  b: () => Promise<number>,
): Promise<[number, number]> {
  const ours: number[] = [];
  const baseline: number[] = [];
  await a();
  await b();
  for (let index = 0; index < times; index++) {
    ours.push(await a());
    baseline.push(await b());
  }
  return [median(ours), median(baseline)];
}

export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map(({ name, ours, baseline, unit, limit, note }) => [
    name,
    `${ours.toFixed(1)} ${unit}`,
    `${baseline.toFixed(1)} ${unit}`,
    (ours / baseline).toFixed(2),
    limit.toFixed(2),
    ours / baseline <= limit ? 'ok' : 'over',
    note ?? '',
  ]);
  const all = [['what', 'ours', 'baseline', 'ratio', 'limit', '', 'note'], ...cells];
  const widths = (all[0] ?? []).map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
