import type { Verdict } from './action.ts';
import type { Policy } from './policy.ts';

/** How much an operator trusts the sandbox, chosen by AGENT_POLICY_PRESET. */
export type Preset = (typeof presets)[number];
export const presets = ['standard', 'strict', 'trusting'] as const;

const verdicts: Readonly<
  Record<Exclude<Preset, 'standard'>, { shell: Verdict; unlisted: Verdict }>
> = {
  /** Plain commands of the list only. */
  strict: { shell: 'deny', unlisted: 'deny' },
  /** Any command and any script, inside the sandbox; what a rule denies or asks about is still denied or asked. */
  trusting: { shell: 'allow', unlisted: 'allow' },
};

/** The policy with what the preset says of scripts and of commands that are not listed; `standard` is the files as written. */
export function applyPreset(policy: Policy, preset: Preset): Policy {
  if (preset === 'standard') return policy;
  const { shell: verdict, unlisted } = verdicts[preset];
  return { ...policy, shell: { ...policy.shell, verdict, unlisted } };
}
