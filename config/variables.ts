import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { presets } from '../policies/presets.ts';
import type { Preset } from '../policies/presets.ts';

/** What the operator can set. Values are text until `parse`d. */
export interface VariableValues {
  baseUrl: string;
  apiKey: string;
  model: string;
  plannerModel: string;
  reviewerModel: string;
  workspace: string;
  stateDir: string;
  toolsDir: string;
  policiesDir: string;
  policyPreset: Preset;
  always: string;
  allowNet: boolean;
  forceChat: boolean;
  sandbox: 'auto' | 'none';
  secrets: string;
  payloadKeys: string;
  approvers: string;
  temporalCli: string;
  temporalAddress: string;
  temporalNamespace: string;
  unsafeTemporalPort: boolean;
  queue: string;
  host: string;
  snapshotDays: number;
}

export type VariableKey = keyof VariableValues;

/** A value, or what was expected: the end of "<name> must be …, got …". */
export type Parsed<T> = { value: T } | { expected: string; instead?: string };

/**
 * Where a setting applies. `run`: travels with each run. `command`: to the command it is given to, such as the Temporal
 * address. `policy`: to what is put in force. `stack`: read when the local stack starts. `unused`: not read yet.
 */
export type Scope = 'run' | 'command' | 'policy' | 'stack' | 'unused';

export interface Variable<K extends VariableKey = VariableKey> {
  readonly key: K;
  readonly name: string;
  readonly scope: Scope;
  readonly meaning: string;
  /** The default, for people. */
  readonly fallback: string;
  /** Shown only as set or not set. */
  readonly secret?: true;
  /** Which values a workspace may set; absent: none. */
  readonly fromWorkspace?: (value: VariableValues[K]) => boolean;
  /** `base`: folder that relative paths start from. */
  readonly parse: (text: string, base: string) => Parsed<VariableValues[K]>;
}

const parseText = (text: string): Parsed<string> =>
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /^[^\u0000-\u001f\u007f]+$/.test(text) ? { value: text } : { expected: 'one line of text' };

const parsePath = (text: string, base: string): Parsed<string> =>
  text.includes('\0')
    ? { expected: 'a path' }
    : { value: isAbsolute(text) ? resolve(text) : resolve(base, text) };

const parseFolder = (text: string, base: string): Parsed<string> => {
  const path = resolve(base, text);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    ? { value: path }
    : { expected: 'an existing folder', instead: `Create it with: mkdir -p ${path}` };
};

const parseProgram = (text: string, base: string): Parsed<string> => {
  const path = resolve(base, text);
  try {
    accessSync(path, constants.X_OK);
    if (statSync(path).isFile()) return { value: path };
  } catch {
    // Reported below: to the user, a missing file and an unreadable one are the same mistake.
  }
  return { expected: 'an executable file', instead: 'Give the path of the `temporal` program.' };
};

const parseNames = (text: string): Parsed<string> =>
  /^\w+(?:[ ,]+\w+)*$/.test(text)
    ? { value: text.split(/[ ,]+/).join(',') }
    : { expected: 'names of variables with commas between them' };

const parseFlag = (text: string): Parsed<boolean> => {
  const word = text.toLowerCase();
  return word === 'true' || word === 'false'
    ? { value: word === 'true' }
    : { expected: 'true or false' };
};

const parseSandbox = (text: string): Parsed<'auto' | 'none'> =>
  text === 'auto' || text === 'none' ? { value: text } : { expected: 'auto or none' };

const parsePreset = (text: string): Parsed<Preset> => {
  const value = presets.find((preset) => preset === text);
  return value === undefined ? { expected: presets.join(', ') } : { value };
};

const parseBaseUrl = (text: string): Parsed<string> => {
  const expected = 'an http(s) URL';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    const instead = /^[\w.-]+:\d+(\/.*)?$/.test(text) ? `Write http://${text}.` : undefined;
    return instead === undefined ? { expected } : { expected, instead };
  }
  if (url.username !== '' || url.password !== '') {
    return { expected: `${expected} without a password in it`, instead: 'Use OPENAI_API_KEY.' };
  }
  return { value: text.replace(/\/+$/, '') };
};

const parseKey = (text: string): Parsed<string> =>
  /^[\u0021-\u007e]+$/.test(text)
    ? { value: text }
    : { expected: 'printable ASCII without spaces, as it goes into an HTTP header' };

const parseAddress = (text: string): Parsed<string> =>
  /^(?:(?:\[[0-9a-f:]+\]|[\w.-]+):\d{1,5}|unix:\/[^\0]+)$/i.test(text)
    ? { value: text }
    : { expected: 'host:port', instead: 'Write for example 127.0.0.1:7233.' };

const parseName = (text: string): Parsed<string> =>
  /^[\w.-]{1,100}$/.test(text)
    ? { value: text }
    : { expected: 'at most 100 letters, digits, dots, dashes or underscores' };

const parseDays = (text: string): Parsed<number> =>
  /^[1-9]\d{0,4}$/.test(text)
    ? { value: Number(text) }
    : { expected: 'a whole number of days from 1 to 99999' };

const variable = <K extends VariableKey>(entry: Variable<K>): Variable =>
  entry as unknown as Variable;

/** All variables, in display order. `key` is the name as a flag or in config.yaml. */
export const variables: readonly Variable[] = [
  variable({
    key: 'baseUrl',
    name: 'OPENAI_BASE_URL',
    scope: 'run',
    meaning: 'Address of the OpenAI-compatible model server.',
    fallback: 'http://127.0.0.1:1234/v1; in a container http://host.docker.internal:1234/v1',
    parse: parseBaseUrl,
  }),
  variable({
    key: 'apiKey',
    name: 'OPENAI_API_KEY',
    scope: 'run',
    meaning: 'Key for the model server; local servers need none.',
    fallback: 'not set',
    secret: true,
    parse: parseKey,
  }),
  variable({
    key: 'model',
    name: 'AGENT_MODEL',
    scope: 'run',
    meaning: 'Model that carries the steps out.',
    fallback: 'gpt-4o-mini',
    fromWorkspace: () => true,
    parse: parseText,
  }),
  variable({
    key: 'plannerModel',
    name: 'AGENT_PLANNER_MODEL',
    scope: 'run',
    meaning: 'Model that plans.',
    fallback: 'AGENT_MODEL',
    fromWorkspace: () => true,
    parse: parseText,
  }),
  variable({
    key: 'reviewerModel',
    name: 'AGENT_REVIEWER_MODEL',
    scope: 'run',
    meaning: 'Model that reviews.',
    fallback: 'AGENT_MODEL',
    fromWorkspace: () => true,
    parse: parseText,
  }),
  variable({
    key: 'workspace',
    name: 'AGENT_WORKSPACE',
    scope: 'run',
    meaning: 'Folder the agent works in.',
    fallback: 'the current folder; in a container /workspace',
    parse: parseFolder,
  }),
  variable({
    key: 'stateDir',
    name: 'AGENT_STATE_DIR',
    scope: 'command',
    meaning: 'Folder for histories, audit, blobs and the local stack.',
    fallback: '$XDG_STATE_HOME/dev-agent or ~/.local/state/dev-agent; in a container /state',
    parse: parsePath,
  }),
  variable({
    key: 'toolsDir',
    name: 'AGENT_TOOLS_DIR',
    scope: 'unused',
    meaning: 'Folder with installed tools.',
    fallback: '<state>/tools; in a container /tools',
    parse: parsePath,
  }),
  variable({
    key: 'policiesDir',
    name: 'AGENT_POLICIES_DIR',
    scope: 'policy',
    meaning: 'Folder with tools.yaml, network.yaml and paths.yaml.',
    fallback: 'the policies shipped with dev-agent',
    parse: parseFolder,
  }),
  variable({
    key: 'policyPreset',
    name: 'AGENT_POLICY_PRESET',
    scope: 'policy',
    meaning:
      'standard: the policy files as written; strict: no scripts; trusting: any command and script, in the sandbox.',
    fallback: 'standard',
    parse: parsePreset,
  }),
  variable({
    key: 'always',
    name: 'AGENT_ALWAYS',
    scope: 'policy',
    meaning: 'File of what you allowed always, written by agent approve --always.',
    fallback: '$XDG_CONFIG_HOME/dev-agent/always.yaml',
    parse: parsePath,
  }),
  variable({
    key: 'allowNet',
    name: 'ALLOW_NET',
    scope: 'stack',
    meaning: 'Whether tools may reach the network where the policy allows a host.',
    fallback: 'false',
    fromWorkspace: (value) => !value,
    parse: parseFlag,
  }),
  variable({
    key: 'forceChat',
    name: 'AGENT_FORCE_CHAT_COMPLETIONS',
    scope: 'run',
    meaning: 'Use Chat Completions without trying the Responses API first.',
    fallback: 'false',
    fromWorkspace: () => true,
    parse: parseFlag,
  }),
  variable({
    key: 'sandbox',
    name: 'AGENT_SANDBOX',
    scope: 'stack',
    meaning: 'auto: commands run in bubblewrap or not at all; none: they run unconfined.',
    fallback: 'auto',
    fromWorkspace: (value) => value === 'auto',
    parse: parseSandbox,
  }),
  variable({
    key: 'secrets',
    name: 'AGENT_SECRETS',
    scope: 'run',
    meaning: 'Names of further variables whose values are secret, such as SITE,PIN.',
    fallback: 'those named like a key, token, secret or password',
    parse: parseNames,
  }),
  variable({
    key: 'payloadKeys',
    name: 'AGENT_PAYLOAD_KEYS',
    scope: 'stack',
    meaning: 'File with the keys that Temporal’s history is encrypted with.',
    fallback:
      'of the local stack: $XDG_CONFIG_HOME/dev-agent/keys/payload-keys, made on first use; on a cluster: not encrypted',
    parse: parsePath,
  }),
  variable({
    key: 'approvers',
    name: 'AGENT_APPROVERS',
    scope: 'stack',
    meaning:
      'File with the public keys of those whose approvals count, one PEM block after another.',
    fallback: 'your own: $XDG_CONFIG_HOME/dev-agent/keys/operator.pub',
    parse: parsePath,
  }),
  variable({
    key: 'temporalCli',
    name: 'AGENT_TEMPORAL_CLI',
    scope: 'stack',
    meaning: 'The `temporal` program the local stack starts.',
    fallback: '`temporal` on PATH, else fetched once into the cache folder',
    parse: parseProgram,
  }),
  variable({
    key: 'temporalAddress',
    name: 'TEMPORAL_ADDRESS',
    scope: 'command',
    meaning: 'A Temporal cluster to use instead of the local stack.',
    fallback: 'the local stack',
    parse: parseAddress,
  }),
  variable({
    key: 'temporalNamespace',
    name: 'TEMPORAL_NAMESPACE',
    scope: 'command',
    meaning: 'Namespace on that cluster.',
    fallback: 'default',
    parse: parseName,
  }),
  variable({
    key: 'unsafeTemporalPort',
    name: 'AGENT_UNSAFE_TEMPORAL_PORT',
    scope: 'stack',
    meaning:
      'true: the local stack’s Temporal gets a port, for debugging. Every user of the machine can use it.',
    fallback: 'false',
    parse: parseFlag,
  }),
  variable({
    key: 'queue',
    name: 'AGENT_QUEUE',
    scope: 'stack',
    meaning: 'First part of the task queues’ names.',
    fallback: 'dev-agent',
    parse: parseName,
  }),
  variable({
    key: 'host',
    name: 'AGENT_HOST',
    scope: 'stack',
    meaning: 'Name of the machine that has the workspace, as its task queue says it.',
    fallback: 'the host name',
    parse: parseName,
  }),
  variable({
    key: 'snapshotDays',
    name: 'AGENT_SNAPSHOT_DAYS',
    scope: 'stack',
    meaning: 'Days after its end that a run can still be forked from its steps.',
    fallback: '30',
    parse: parseDays,
  }),
];
