/** Taking secrets out of what commands print and models read. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createRedactionStream } from '../../policies/secrets/redaction-stream.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';
import { median } from './measure.ts';
import type { Row } from './measure.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const wantedBytes = 8_000_000;
const pieceLength = 65_536;
/** Millions of characters a second that it must take at least. */
const wantedSpeed = 50;

const toLog = (): string =>
  Array.from(
    { length: 2_000 },
    (_, at) =>
      `2026-03-01T08:25:${String(at % 60).padStart(2, '0')}.123Z info worker[${at}]: GET /api/v1/items/${at}?page=3 200 ${at % 97}ms\n`,
  ).join('');

const readSources = (): string =>
  globSync('{activities,audit,cli,workflows,policies}/**/*.ts', { cwd: root })
    .map((file) => readFileSync(`${root}/${file}`, 'utf8'))
    .join('\n');

const readJson = (): string => readFileSync(`${root}/package-lock.json`, 'utf8');

/** With as many known values as a well-filled environment has. */
const createKnowing = (): Redactor =>
  createRedactor(
    Array.from({ length: 10 }, (_, at) => ({ name: `KEY_${at}`, value: `value-${at}-${at ** 9}` })),
  );

/** Millions of characters a second, of the median of seven. */
function measureSpeed(text: string, work: (text: string) => void): number {
  const times: number[] = [];
  for (let at = 0; at < 8; at++) {
    const started = performance.now();
    work(text);
    if (at > 0) times.push(performance.now() - started);
  }
  return text.length / median(times) / 1_000;
}

export function measureRedaction(): Promise<Row[]> {
  const redactor = createKnowing();
  const stream = (text: string): void => {
    const pieces = createRedactionStream(redactor);
    for (let at = 0; at < text.length; at += pieceLength)
      pieces.write(text.slice(at, at + pieceLength));
    pieces.end();
  };
  const rows = [
    ['log output', toLog()],
    ['source code', readSources()],
    ['JSON', readJson()],
  ].flatMap(([name = '', text = '']) => {
    const long = text.repeat(Math.ceil(wantedBytes / text.length)).slice(0, wantedBytes);
    const whole = measureSpeed(long, (all) => void redactor.redact(all));
    return [
      [`secrets out of ${name}`, whole],
      [`secrets out of ${name} in pieces`, measureSpeed(long, stream)],
    ] as const;
  });
  return Promise.resolve(
    rows.map(([name, ours]) => ({
      name: `${name}, MB a second / ${wantedSpeed}`,
      ours,
      baseline: wantedSpeed,
      unit: 'MB',
      limit: 1,
      direction: 'at least',
    })),
  );
}
