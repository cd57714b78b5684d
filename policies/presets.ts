import type { Verdict } from './action.ts';
import type { Policy } from './policy.ts';

/** How far the operator trusts the sandbox; set by AGENT_POLICY_PRESET. */
export type Preset = (typeof presets)[number];
export const presets = ['standard', 'strict', 'trusting'] as const;

const verdicts: Readonly<
  Record<Exclude<Preset, 'standard'>, { shell: Verdict; unlisted: Verdict }>
> = {
  /** Only plain commands from the lists. */
  strict: { shell: 'deny', unlisted: 'deny' },
  /** Any command or script inside the sandbox; rules that deny or ask still apply. */
  trusting: { shell: 'allow', unlisted: 'allow' },
};

/** Applies the preset's verdicts on scripts and unlisted commands; `standard` leaves the files as written. */
export function applyPreset(policy: Policy, preset: Preset): Policy {
  if (preset === 'standard') return policy;
  const { shell: verdict, unlisted } = verdicts[preset];
  return { ...policy, shell: { ...policy.shell, verdict, unlisted } };
}
