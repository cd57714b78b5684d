import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { variables } from './variables.ts';
import type { VariableKey } from './variables.ts';

/** Settings of one config.yaml, still as text. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Partial<Record<VariableKey, string>>>;
  readonly problems: readonly string[];
}

const isKey = (key: string): key is VariableKey => variables.some((entry) => entry.key === key);

/**
 * Reads `<setting>: <value>` lines; undefined when there is no file.
 * A workspace's file may hold more than settings, so unknown keys are mistakes only in the user's own.
 */
export function readConfigFile(path: string, owner: 'workspace' | 'user'): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return { path, values: {}, problems: [`${path} cannot be read: ${code ?? message}.`] };
  }
  // Loaded only when there is a file: most commands start without one, and quickly.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    return { path, values: {}, problems: [`${path} is not valid YAML: ${first}`] };
  }
  if (content === null) return undefined;
  if (typeof content !== 'object' || Array.isArray(content)) {
    const problem = `${path} must hold lines such as "model: gpt-4o-mini", got ${typeof content}.`;
    return { path, values: {}, problems: [problem] };
  }
  const values: Partial<Record<VariableKey, string>> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(content)) {
    if (!isKey(key)) {
      if (owner === 'workspace') continue;
      const known = variables.map((entry) => entry.key).join(', ');
      problems.push(`${path} sets "${key}", which is no setting. Known: ${known}.`);
    } else if (['string', 'number', 'boolean'].includes(typeof value)) {
      values[key] = String(value);
    } else {
      problems.push(`${key} in ${path} must be one value, got ${JSON.stringify(value)}.`);
    }
  }
  if (values.apiKey !== undefined && owner === 'user' && (statSync(path).mode & 0o077) !== 0) {
    problems.push(`${path} holds a key and others may read it. Run: chmod 600 ${path}`);
  }
  return { path, values, problems };
}
