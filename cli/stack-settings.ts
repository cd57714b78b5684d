/** Settings of a command beside those of the stack that runs: none that somebody set is passed over in silence. */
import type { Settings } from '../config/environment.ts';
import { toEnvironment } from '../config/environment.ts';
import { readForceRecord } from '../config/policy-in-force.ts';
import type { ForceRecord } from '../config/policy-in-force.ts';
import type { StackFile } from '../config/stack.ts';
import { variables } from '../config/variables.ts';
import { presets } from '../policies/presets.ts';
import { CliError } from './errors.ts';

interface Difference {
  readonly name: string;
  readonly inForce: string;
  readonly wanted: string;
  /** Somebody set it; it is no default. */
  readonly isSet: boolean;
}

export interface Told {
  /** Why nothing can be done with this stack. */
  readonly refused?: string;
  readonly notes: readonly string[];
}

/** @param strict whether a setting that somebody set has to be in force, as for a run. */
export function tellDifferences(settings: Settings, stack: StackFile, strict: boolean): Told {
  const found = findDifferences(
    settings,
    stack.environment ?? {},
    readForceRecord(settings.folders.root),
  );
  const isRefused = ({ name, isSet }: Difference): boolean =>
    // What one encrypts the other could not read.
    name === 'AGENT_PAYLOAD_KEYS' || (strict && isSet);
  const refused = found.filter(isRefused);
  if (refused.length > 0)
    return { refused: [...refused.map(toSentence), remedy].join('\n'), notes: [] };
  return { notes: found.map((each) => `${toSentence(each)} ${remedy}`) };
}

/**
 * What the stack was started with counts, since a restarted worker goes by it; for the policy what was put in force since, as
 * well. Pure.
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
    // A default says nothing, unless it is less than what others have set.
    if (!isSet && (inForce === undefined || (wanted === undefined && key !== 'payloadKeys')))
      return [];
    const [has, not] = [inForce, wanted].map((value) => value ?? 'not set');
    return [{ name, inForce: has ?? '', wanted: not ?? '', isSet }];
  });
}

const toSentence = ({ name, inForce, wanted }: Difference): string =>
  `The running stack has ${name}=${inForce}, not ${wanted}.`;

const remedy = 'To change it: agent down && agent up';

/**
 * The settings with the policy the running stack goes by, where nobody set another one.
 * @throws CliError exit 78 where somebody did: it would hold until a worker is restarted.
 */
export function withPolicyOf(stack: StackFile | undefined, settings: Settings): Settings {
  const started = stack?.environment ?? {};
  const differs = variables.flatMap(({ key, name, scope }): Difference[] => {
    const [inForce, wanted] = [started[name], String(settings[key])];
    if (scope !== 'policy' || inForce === undefined || inForce === wanted) return [];
    return settings.origins[key] === 'default' ? [] : [{ name, inForce, wanted, isSet: true }];
  });
  if (differs.length > 0) throw new CliError([...differs.map(toSentence), remedy].join('\n'), 78);
  const { policiesDir, policyPreset, always } = settings;
  return {
    ...settings,
    policiesDir: started['AGENT_POLICIES_DIR'] ?? policiesDir,
    policyPreset: presets.find((each) => each === started['AGENT_POLICY_PRESET']) ?? policyPreset,
    always: started['AGENT_ALWAYS'] ?? always,
  };
}

/** Names of settings that somebody set and that a cluster's workers have of their own. */
export const findElsewhere = ({ origins }: Settings): string[] =>
  variables
    .filter(
      ({ scope, key }) =>
        scope === 'policy' || scope === 'stack' || key === 'baseUrl' || key === 'apiKey',
    )
    // Queues and payloads are made with the command's own.
    .filter(({ key }) => key !== 'queue' && key !== 'host' && key !== 'payloadKeys')
    .filter(({ key }) => origins[key] !== 'default')
    .map(({ name }) => name);
