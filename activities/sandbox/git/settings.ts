import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lonelyEnvironment } from './environment.ts';
import { isHarmless, splitKey } from './keys.ts';
import type { KeyContext, Setting } from './keys.ts';
import { execute } from '../execute.ts';

export const maxSettingsBytes = 1_048_576;
/** Cache size for parsed settings: a command can make any number of any size. */
const maxParsedBytes = 4 * maxSettingsBytes;
/** More than any honest repository has. */
const maxSettings = 20_000;
const maxChanges = 1_000;
/** By hash of the text. */
const parsed = new Map<
  string,
  { readonly settings: readonly Setting[] | undefined; readonly bytes: number }
>();
let parsedBytes = 0;

/** git's own reading of the text, without includes. Undefined if git cannot read it. */
export async function parseSettings(text: Buffer): Promise<readonly Setting[] | undefined> {
  const hash = createHash('sha256').update(text).digest('hex');
  const known = parsed.get(hash);
  if (known !== undefined) return known.settings;
  const settings = await listSettings(text);
  remember(hash, settings, text.length);
  return settings;
}

/** Fixed overhead per entry. */
const entryBytes = 1_000;

function remember(hash: string, settings: readonly Setting[] | undefined, length: number): void {
  const bytes = length + entryBytes;
  // Parsed concurrently by another call.
  if (parsed.has(hash)) return;
  parsed.set(hash, { settings, bytes });
  parsedBytes += bytes;
  for (const [oldest, { bytes: freed }] of parsed) {
    if (parsedBytes <= maxParsedBytes) return;
    parsed.delete(oldest);
    parsedBytes -= freed;
  }
}

async function listSettings(text: Buffer): Promise<readonly Setting[] | undefined> {
  const args = ['config', '--file', '-', '--list', '--null', '--no-includes'];
  const options = { cwd: '/', env: lonelyEnvironment(), maxBuffer: 8 * maxSettingsBytes };
  try {
    const { stdout } = await execute('git', args, { ...options, encoding: 'latin1', input: text });
    return toSettings(stdout);
  } catch (error) {
    // Without git nothing is known of the text; that is not a verdict on it.
    if (typeof (error as { code?: unknown }).code !== 'number') throw error;
    return undefined;
  }
}

/** Undefined for names outside any section, which git lists but never writes. */
function toSettings(output: string): readonly Setting[] | undefined {
  const lines = output.split('\0', maxSettings + 2).slice(0, -1);
  if (lines.length > maxSettings) return undefined;
  const settings = lines.map(toSetting);
  return settings.every(({ key }) => key.includes('.')) ? settings : undefined;
}

/** An entry of git's NUL-separated list. */
export function toSetting(line: string): Setting {
  const end = line.indexOf('\n');
  return end === -1 ? { key: line } : { key: line.slice(0, end), value: line.slice(end + 1) };
}

type Values = readonly (string | undefined)[];

function groupByKey(settings: readonly Setting[]): Map<string, Values> {
  const groups = new Map<string, (string | undefined)[]>();
  for (const { key, value } of settings) {
    const values = groups.get(key);
    if (values === undefined) groups.set(key, [value]);
    else values.push(value);
  }
  return groups;
}

const isSame = (a: Values, b: Values): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

/** git needs them to read the repository correctly and never removes them. */
const isBasic = (key: string): boolean => /^(?:core|extensions)\./i.test(key);

export interface Judged {
  /** What the file may contain; the same object as `after` if that is all of it. */
  readonly allowed: readonly Setting[];
  /** Keys whose change is not kept. */
  readonly refused: readonly string[];
}

/** What may be kept of a change to a settings file. Existing settings stay unless harmless. */
export function judgeSettings(
  before: readonly Setting[],
  after: readonly Setting[],
  place: Pick<KeyContext, 'isInside' | 'isWorkTree'>,
): Judged {
  const [had, has] = [groupByKey(before), groupByKey(after)];
  const context: KeyContext = {
    ...place,
    sections: new Set(
      before.map(({ key }) => {
        const { section, subsection } = splitKey(key);
        return `${section}.${subsection}`;
      }),
    ),
    remotes: new Set(
      before.flatMap(({ key }) => {
        const { section, subsection, name } = splitKey(key);
        return section === 'remote' && name === 'url' ? [subsection] : [];
      }),
    ),
  };
  const isAllowed = (key: string, values: Values): boolean =>
    values.every((value) => isHarmless(value === undefined ? { key } : { key, value }, context));
  const refused = new Set<string>();
  for (const key of new Set([...had.keys(), ...has.keys()])) {
    const [old, fresh] = [had.get(key) ?? [], has.get(key) ?? []];
    const isAllowedChange =
      isAllowed(key, old) && isAllowed(key, fresh) && (fresh.length > 0 || !isBasic(key));
    if (!isSame(old, fresh) && !isAllowedChange) refused.add(key);
  }
  if (refused.size === 0) return { allowed: after, refused: [] };
  const allowed = [
    ...before.filter(({ key }) => refused.has(key)),
    ...after.filter(({ key }) => !refused.has(key)),
  ];
  return { allowed, refused: [...refused].toSorted() };
}

/** The settings as git would write them; bytes as latin1. */
export const renderSettings = (settings: readonly Setting[]): Buffer =>
  Buffer.from(settings.map(renderSetting).join(''), 'latin1');

/** One setting as git would write it. */
export function renderSetting({ key, value }: Setting): string {
  const first = key.indexOf('.');
  const last = key.lastIndexOf('.');
  const middle =
    first === last ? '' : ` "${key.slice(first + 1, last).replaceAll(/["\\]/g, '\\$&')}"`;
  const quoted = value
    ?.replaceAll(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t');
  const name = key.slice(last + 1);
  return `[${key.slice(0, first)}${middle}]\n\t${name}${quoted === undefined ? '' : ` = "${quoted}"`}\n`;
}

/**
 * Applies the differences between two lists to the text through git, preserving comments and order. Undefined if git
 * cannot; the text then stays unchanged.
 */
export async function applySettings(
  text: Buffer,
  before: readonly Setting[],
  after: readonly Setting[],
): Promise<Buffer | undefined> {
  const [had, has] = [groupByKey(before), groupByKey(after)];
  const folder = mkdtempSync(join(tmpdir(), 'dev-agent-settings-'));
  const file = join(folder, 'config');
  const git = async (args: readonly string[], accept = [0]): Promise<void> => {
    try {
      await execute('git', ['config', '--file', file, ...args], {
        cwd: '/',
        env: lonelyEnvironment(),
      });
    } catch (error) {
      if (!accept.includes((error as { code?: number }).code ?? -1)) throw error;
    }
  };
  try {
    writeFileSync(file, text);
    const changed = [...new Set([...had.keys(), ...has.keys()])].filter(
      (key) => !isSame(had.get(key) ?? [], has.get(key) ?? []),
    );
    if (changed.length > maxChanges) return undefined;
    for (const key of changed) {
      const [old, fresh] = [had.get(key) ?? [], has.get(key) ?? []];
      const name = Buffer.from(key, 'latin1').toString('utf8');
      if (old.length > 0) await git(['--unset-all', '--', name], [0, 5]);
      for (const value of fresh)
        await git(['--add', '--', name, Buffer.from(value ?? 'true', 'latin1').toString('utf8')]);
    }
    return readFileSync(file);
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
