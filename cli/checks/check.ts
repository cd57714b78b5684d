import { plural } from '../render/render.ts';

/** One finding of `agent doctor`. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** How to fix it. */
  readonly remedy?: string;
}

export interface CheckGroup {
  readonly group: string;
  readonly checks: readonly Check[];
}

export const ok = (name: string, found: string): Check => ({ name, state: 'ok', found });

export const warn = (name: string, found: string, remedy: string): Check => ({
  name,
  state: 'warn',
  found,
  remedy,
});

export const fail = (name: string, found: string, remedy: string): Check => ({
  name,
  state: 'fail',
  found,
  remedy,
});

const marks = { ok: '✓', warn: '⚠', fail: '✗' } as const;

/** Findings by group, followed by a count of each kind. */
export function renderChecks(groups: readonly CheckGroup[]): string {
  const all = groups.flatMap(({ checks }) => checks);
  const width = Math.max(0, ...all.map(({ name }) => name.length));
  const count = (state: Check['state']): number =>
    all.filter((check) => check.state === state).length;
  const lines = groups.flatMap(({ group, checks }) => [
    group,
    ...checks.flatMap(({ name, state, found, remedy }) => [
      `  ${marks[state]} ${name.padEnd(width)}  ${found}`,
      ...(remedy === undefined ? [] : [`    ${' '.repeat(width)}  → ${remedy}`]),
    ]),
    '',
  ]);
  const warnings = plural(count('warn'), 'warning');
  return `${lines.join('\n')}\n${count('ok')} ok · ${warnings} · ${plural(count('fail'), 'failure')}\n`;
}
