/** Values → text. Pure: no clock, no terminal, no file. Whatever a model or a tool wrote is stripped of control characters here. */
import type { RunEvent } from '../audit/events.ts';
import { stripControls, toLine } from './clean.ts';
import type { Style } from './style.ts';

const lineWidth = 160;

/** An age or a duration in its largest two units, such as `3m 12s`. */
export function renderAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (!Number.isFinite(seconds)) return '?';
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const;
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  let rest = seconds;
  const parts: string[] = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.join(' ');
}

/** A count a person takes in at once: `950`, `12.3k`, `1.2M`. */
export function renderCount(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 999_950) return `${(count / 1_000).toFixed(1)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}
