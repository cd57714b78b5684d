import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type * as Yaml from 'yaml';
import { variables } from './variables.ts';
import type { VariableKey } from './variables.ts';
import { readWorkspaceFile } from './workspace-file.ts';

/** The settings in one config.yaml, still as text. */
export interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Partial<Record<VariableKey, string>>>;
  readonly problems: readonly string[];
}

const isKey = (key: string): key is VariableKey => variables.some((entry) => entry.key === key);

const maxBytes = 256 * 1024;

/** The settings a workspace asks for in `.agent/config.yaml`. Follows no link and never quotes its text. */
export function readWorkspaceConfig(workspace: string): ConfigFile | undefined {
  const names = ['.agent', 'config.yaml'];
  const path = join(workspace, ...names);
  const read = readWorkspaceFile(workspace, names, maxBytes);
  switch (read.state) {
    case 'missing':
      return undefined;
    case 'refused': {
      const problem = `${path} cannot be used: ${read.reason}; expected ${read.expected}.`;
      return { path, values: {}, problems: [problem] };
    }
    case 'read':
      return parseConfig(path, read.text, 'workspace');
  }
}

/** The user's own settings; undefined if there is no file. */
export function readUserConfig(path: string): ConfigFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return { path, values: {}, problems: [`${path} cannot be read: ${code ?? message}.`] };
  }
  const config = parseConfig(path, text, 'user');
  if (config?.values.apiKey === undefined || (statSync(path).mode & 0o077) === 0) return config;
  const problem = `${path} holds a key and others may read it. Run: chmod 600 ${path}`;
  return { ...config, problems: [...config.problems, problem] };
}

/**
 * Parses `<setting>: <value>` lines. Unknown keys are mistakes only in the user's file, because a workspace's may hold
 * more than settings, and a workspace's text is never quoted.
 */
function parseConfig(
  path: string,
  text: string,
  owner: 'workspace' | 'user',
): ConfigFile | undefined {
  // Loaded lazily: most commands have no file and should start fast.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 0, logLevel: 'error' });
  } catch (error) {
    return { path, values: {}, problems: [`${path} is not valid YAML: ${explain(error, owner)}`] };
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
      problems.push(`${path} sets "${key}", which is not a setting. Known: ${known}.`);
    } else if (['string', 'number', 'boolean'].includes(typeof value)) {
      values[key] = String(value);
    } else {
      const got = owner === 'user' ? JSON.stringify(value) : 'a list or a mapping';
      problems.push(`${key} in ${path} must be one value, got ${got}.`);
    }
  }
  return { path, values, problems };
}

/** The YAML parser's message; for a workspace's file, only the position. */
function explain(error: unknown, owner: 'workspace' | 'user'): string {
  if (owner === 'user') return (error as Error).message.split('\n')[0] ?? '';
  const [start] = (error as Partial<Yaml.YAMLParseError>).linePos ?? [];
  const where = start === undefined ? '' : `, line ${start.line}, column ${start.col}`;
  return `expected lines such as "model: gpt-4o-mini"${where}.`;
}
