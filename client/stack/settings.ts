/** Compares a command's settings with the running stack's: a setting someone made is never silently ignored. */
import type { Settings } from '../../config/environment.ts';
import { toEnvironment } from '../../config/environment.ts';
import { readForceRecord } from '../../config/force-record.ts';
import type { ForceRecord } from '../../config/force-record.ts';
import type { StackFile } from '../../config/stack.ts';
import { variables } from '../../config/variables.ts';
import { readCommit, readVersion } from '../../config/version.ts';
import { presets } from '../../policies/presets.ts';
import { ClientError } from '../errors.ts';

interface Difference {
  readonly name: string;
  readonly inForce: string;
  readonly wanted: string;
  /** Set explicitly, not a default. */
  readonly isSet: boolean;
}

export interface Told {
  /** Why this stack cannot be used. */
  readonly refused?: string;
  readonly notes: readonly string[];
}

/**
 * @param open open workflows on a stack of another version, by id. @param strict whether explicit settings and the
 * version must be in force, as for a run.
 */
export function tellDifferences(
  settings: Settings,
  stack: StackFile,
  open: readonly string[],
  strict: boolean,
): Told {
  const found = findDifferences(
    settings,
    stack.environment ?? {},
    readForceRecord(settings.folders.root),
  );
  const refused = found
    // What one encrypts the other could not read.
    .filter(({ name, isSet }) => name === 'AGENT_PAYLOAD_KEYS' || (strict && isSet))
    .map(toSentence);
  const code = findOtherCode(stack, open);
  if (refused.length > 0 || (strict && open.length > 0))
    return { refused: [...code, ...refused, remedy].join('\n'), notes: [] };
  return { notes: [...code, ...found.map(toSentence)].map((each) => `${each} ${remedy}`) };
}

/** Whether the stack runs other code than this command, in at most one sentence. */
function findOtherCode(stack: StackFile, open: readonly string[]): string[] {
  const version = readVersion();
  if (stack.version !== version)
    return [
      `The running stack is version ${stack.version}, not ${version}, and not idle: ${open.join(', ')}. Let these end first: ` +
        'the new version ends runs it cannot verify as denied; continue them with agent fork <run> --step <n>.',
    ];
  // An installed package is identified by its version; a checkout changes within a version.
  const commit = readCommit();
  if (stack.commit === commit) return [];
  const [theirs, ours] = [stack.commit, commit].map((each) => each?.slice(0, 8) ?? 'a package');
  return [`The running stack uses the code in ${theirs}, not in ${ours}.`];
}

/**
 * Compares with what the stack was started with, since a restarted worker uses that; for the policy, also with what was
 * put in force since. Pure.
 */
export function findDifferences(
  settings: Settings,
  started: Readonly<Record<string, string>>,
  record: Pick<ForceRecord, 'dir' | 'preset' | 'always'> | undefined,
): Difference[] {
  const policy: Partial<Record<string, string>> = {
    AGENT_POLICIES_DIR: record?.dir,
    AGENT_POLICY_PRESET: record?.preset,
    AGENT_ALWAYS: record?.always,
  };
  const own = toEnvironment(settings);
  return variables.flatMap(({ key, name, scope, secret }): Difference[] => {
    if ((scope !== 'policy' && scope !== 'stack') || secret === true) return [];
    const wanted = own[name];
    const put = scope === 'policy' ? policy[name] : undefined;
    const inForce = put === undefined || put === wanted ? started[name] : put;
    if (inForce === wanted) return [];
    const isSet = settings.origins[key] !== 'default';
    // A default does not count, but a key only one side has matters to both.
    if (!isSet && key !== 'payloadKeys' && (inForce === undefined || wanted === undefined))
      return [];
    const [has, not] = [inForce, wanted].map((value) => value ?? 'not set');
    return [{ name, inForce: has ?? '', wanted: not ?? '', isSet }];
  });
}

const toSentence = ({ name, inForce, wanted }: Difference): string =>
  `The running stack has ${name}=${inForce}, not ${wanted}.`;

const remedy = 'To change it: agent down && agent up';

/**
 * The settings with the running stack's policy, unless someone set another. @throws ClientError in that case: it would
 * last only until a worker restarts.
 */
export function withPolicyOf(stack: StackFile | undefined, settings: Settings): Settings {
  const started = stack?.environment ?? {};
  const differs = variables.flatMap(({ key, name, scope }): Difference[] => {
    const [inForce, wanted] = [started[name], String(settings[key])];
    if (scope !== 'policy' || inForce === undefined || inForce === wanted) return [];
    return settings.origins[key] === 'default' ? [] : [{ name, inForce, wanted, isSet: true }];
  });
  if (differs.length > 0)
    throw new ClientError([...differs.map(toSentence), remedy].join('\n'), 'configuration');
  const { policiesDir, policyPreset, always } = settings;
  return {
    ...settings,
    policiesDir: started['AGENT_POLICIES_DIR'] ?? policiesDir,
    policyPreset: presets.find((each) => each === started['AGENT_POLICY_PRESET']) ?? policyPreset,
    always: started['AGENT_ALWAYS'] ?? always,
  };
}

/** Explicit settings that a cluster's workers have of their own. */
export const findElsewhere = ({ origins }: Settings): string[] =>
  variables
    .filter(
      ({ scope, key }) =>
        scope === 'policy' || scope === 'stack' || key === 'baseUrl' || key === 'apiKey',
    )
    // The command uses its own for queues and payloads.
    .filter(({ key }) => key !== 'queue' && key !== 'host' && key !== 'payloadKeys')
    .filter(({ key }) => origins[key] !== 'default')
    .map(({ name }) => name);
