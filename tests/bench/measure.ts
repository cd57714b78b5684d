import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Row {
  readonly name: string;
  /** What ours took, in `unit`. */
  readonly ours: number;
  /** What it is compared with, measured in the same run. */
  readonly baseline: number;
  readonly unit: 'ms' | 'bytes' | 'MB' | 'per second';
  /** Largest `ours / baseline` that meets the goal; absent where a figure is only reported. */
  readonly limit?: number;
  /** `at least` where more is better. */
  readonly direction?: 'at least';
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

type Measure = () => Promise<number>;

/** Measurements in turn, so that a drifting machine hits all of them; medians after one warm-up of each. */
export async function inTurn<const T extends readonly Measure[]>(
  times: number,
  measures: T,
): Promise<{ [K in keyof T]: number }> {
  const found: number[][] = measures.map(() => []);
  for (let index = 0; index <= times; index++) {
    for (const [at, measure] of measures.entries()) {
      const ms = await measure();
      if (index > 0) found[at]?.push(ms);
    }
  }
  return found.map(median) as { [K in keyof T]: number };
}

/** Ours and its baseline in turn. */
export const pair = (times: number, a: Measure, b: Measure): Promise<readonly [number, number]> =>
  inTurn(times, [a, b]);

/** Milliseconds that work takes. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The value that 95 of 100 do not exceed. */
export function p95(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN;
}

function judge({ ours, baseline, limit, direction }: Row): string {
  if (limit === undefined) return '';
  const ratio = ours / baseline;
  if (direction === 'at least') return ratio >= limit ? 'ok' : 'under';
  return ratio <= limit ? 'ok' : 'over';
}

export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    `${row.ours.toFixed(1)} ${row.unit}`,
    `${row.baseline.toFixed(1)} ${row.unit}`,
    (row.ours / row.baseline).toFixed(2),
    row.limit?.toFixed(2) ?? '',
    judge(row),
    row.note ?? '',
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
