import { existsSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toStateFolders } from './folders.ts';
import { readUserConfig, readWorkspaceConfig } from './file.ts';
import { variables } from './variables.ts';
import type { ConfigFile } from './file.ts';
import type { StateFolders } from './folders.ts';
import type { Parsed, Scope, Variable, VariableKey, VariableValues } from './variables.ts';

/** Where a value came from; `flag` beats `environment` beats `workspace` beats `user` beats `default`. */
export type Origin = 'flag' | 'environment' | 'workspace' | 'user' | 'default';

type Optional = 'apiKey' | 'secrets' | 'payloadKeys' | 'temporalCli' | 'temporalAddress';

export interface Settings
  extends
    Readonly<Omit<VariableValues, Optional>>,
    Readonly<Partial<Pick<VariableValues, Optional>>> {
  readonly folders: StateFolders;
  /** For what can be rebuilt: the Temporal CLI, the workflow bundle, compiled code. */
  readonly cacheDir: string;
  /** The operator's own files: config.yaml, always-allow rules, keys. */
  readonly configDir: string;
  readonly origins: Readonly<Record<VariableKey, Origin>>;
  /** Settings that were ignored, as sentences for the operator. */
  readonly notices: readonly string[];
}

export interface SettingsSource {
  /** By setting: `{ workspace: '../shop', model: 'qwen3' }`. */
  readonly flags?: Readonly<Partial<Record<VariableKey, string>>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Detected from the file system if absent. */
  readonly container?: boolean;
}

/** The operator's settings are invalid; `problems` has one sentence per mistake. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 78;
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

interface Source {
  /** As the user wrote it. */
  readonly name: string;
  /** Base folder of relative paths. */
  readonly base: string;
  /** True for a workspace's settings: mistakes are reported without quoting it. */
  readonly quiet?: boolean;
}

const isContainer = (): boolean => existsSync('/.dockerenv') || existsSync('/run/.containerenv');

export const shippedPolicies = fileURLToPath(new URL('../policies', import.meta.url));

/**
 * Reads flags, environment and configuration files. Empty variables count as unset. @throws ConfigError with every
 * wrong value at once.
 */
export function readSettings(source: SettingsSource = {}): Settings {
  const { flags = {}, env = process.env, cwd = process.cwd() } = source;
  const container = source.container ?? isContainer();
  const home = env['HOME'] || homedir();
  const problems: string[] = [];
  const notices: string[] = [];
  const values: Partial<Record<VariableKey, unknown>> = {};
  const origins: Partial<Record<VariableKey, Origin>> = {};

  const take = (entry: Variable, text: string, from: Source): unknown => {
    const parsed: Parsed<unknown> = entry.parse(text, from.base);
    if ('value' in parsed) return parsed.value;
    const isQuiet = entry.secret === true || from.quiet === true;
    const shown = isQuiet ? 'something else' : JSON.stringify(text);
    const more = parsed.instead === undefined || isQuiet ? '' : ` ${parsed.instead}`;
    problems.push(`${from.name} must be ${parsed.expected}, got ${shown}.${more}`);
    return undefined;
  };
  const settle = (entry: Variable, origin: Origin, value: unknown): void => {
    values[entry.key] = value;
    origins[entry.key] = origin;
  };

  for (const entry of variables) {
    const flag = flags[entry.key];
    const variable = env[entry.name];
    if (flag !== undefined) {
      settle(entry, 'flag', take(entry, flag, { name: `--${toFlag(entry.key)}`, base: cwd }));
    } else if (variable !== undefined && variable !== '') {
      settle(entry, 'environment', take(entry, variable, { name: entry.name, base: cwd }));
    }
  }

  // The image's folder is the default only where it exists: a container may also be someone's machine.
  const inImage = (path: string): boolean => container && existsSync(path);
  const workspace =
    (values['workspace'] as string | undefined) ?? (inImage('/workspace') ? '/workspace' : cwd);
  const fromFile = (file: ConfigFile | undefined, origin: 'workspace' | 'user'): void => {
    if (file === undefined) return;
    problems.push(...file.problems);
    for (const entry of variables) {
      const text = file.values[entry.key];
      if (text === undefined || entry.key in values) continue;
      const name = `${entry.key} in ${file.path}`;
      if (origin === 'workspace' && entry.fromWorkspace === undefined) {
        notices.push(`${name} is ignored: only you may set it, not the workspace.`);
        continue;
      }
      const quiet = origin === 'workspace';
      const value = take(entry, text, { name, base: dirname(file.path), quiet });
      if (origin === 'workspace' && value !== undefined && !entry.fromWorkspace?.(value as never)) {
        notices.push(`${name} is ignored: a workspace may only tighten what is allowed.`);
        continue;
      }
      settle(entry, origin, value);
    }
  };
  fromFile(readWorkspaceConfig(workspace), 'workspace');
  const userFolder = join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'dev-agent');
  fromFile(readUserConfig(join(userFolder, 'config.yaml')), 'user');

  if (problems.length > 0) throw new ConfigError(problems);

  const stateHome = env['XDG_STATE_HOME'] || join(home, '.local', 'state');
  const stateDir =
    (values['stateDir'] as string | undefined) ??
    (inImage('/state') ? '/state' : join(stateHome, 'dev-agent'));
  const model = (values['model'] as string | undefined) ?? 'gpt-4o-mini';
  const defaults: Omit<VariableValues, Optional> = {
    baseUrl: `http://${container ? 'host.docker.internal' : '127.0.0.1'}:1234/v1`,
    model,
    plannerModel: model,
    reviewerModel: model,
    workspace,
    stateDir,
    toolsDir: inImage('/tools') ? '/tools' : join(stateDir, 'tools'),
    policiesDir: shippedPolicies,
    policyPreset: 'standard',
    always: join(userFolder, 'always.yaml'),
    allowNet: false,
    forceChat: false,
    sandbox: 'auto',
    temporalNamespace: 'default',
    unsafeTemporalPort: false,
    queue: 'dev-agent',
    host: hostname(),
    snapshotDays: 30,
    approvers: join(userFolder, 'keys', 'operator.pub'),
  };
  // On a cluster all workers need the same keys, so none is generated here.
  if (values['temporalAddress'] === undefined)
    values['payloadKeys'] ??= join(userFolder, 'keys', 'payload-keys');
  for (const entry of variables) origins[entry.key] ??= 'default';
  const cacheHome = env['XDG_CACHE_HOME'] || join(home, '.cache');
  return {
    ...defaults,
    ...(values as Partial<VariableValues>),
    folders: toStateFolders(stateDir),
    cacheDir: join(cacheHome, 'dev-agent'),
    configDir: userFolder,
    origins: origins as Record<VariableKey, Origin>,
    notices,
  };
}

/** `plannerModel` → `planner-model`. */
const toFlag = (key: VariableKey): string =>
  key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** One row of `agent config`. */
export interface SettingRow {
  readonly key: VariableKey;
  readonly name: string;
  /** `set` or `not set` for secrets. */
  readonly value: string;
  readonly origin: Origin;
  readonly scope: Scope;
  readonly meaning: string;
  readonly fallback: string;
}

export const describeSettings = (settings: Settings): readonly SettingRow[] =>
  variables.map(({ key, name, scope, meaning: text, fallback, secret }) => {
    const value = settings[key];
    const shown = secret === true && value !== undefined ? 'set' : String(value ?? 'not set');
    const meaning = scope === 'unused' ? `${text} (not used yet)` : text;
    return { key, name, value: shown, origin: settings.origins[key], scope, meaning, fallback };
  });

/**
 * The settings as variables for our own processes, without secrets and without the workspace: stack processes serve
 * every workspace and must not fail because one is gone.
 */
export function toEnvironment(settings: Settings): Record<string, string> {
  const env: Record<string, string> = { XDG_CACHE_HOME: dirname(settings.cacheDir) };
  for (const { key, name, secret } of variables) {
    const value = settings[key];
    if (secret !== true && key !== 'workspace' && value !== undefined) env[name] = String(value);
  }
  return env;
}
