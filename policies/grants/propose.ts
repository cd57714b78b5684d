/** Proposes grants for an action that was asked about, with examples of what they allow and what they leave alone. */
import type { Action, CommandAccess } from '../action.ts';
import { decideParts } from '../commands/parts.ts';
import type { Part } from '../commands/parts.ts';
import { decide, judgeLine } from '../decide.ts';
import { findFailures } from './examples.ts';
import { isByCall, placeOf } from './grants.ts';
import type { Granted, ProposedGrant } from './grant.ts';
import { countPlaceholders } from '../secrets/redaction.ts';
import type { Policy } from '../policy.ts';
import { toCommandLine } from '../commands/shell.ts';
import { rulesThatAsk } from '../strictest.ts';

export type Proposal =
  | { readonly ok: true; readonly grants: readonly ProposedGrant[] }
  /** `why` completes "it cannot be made a rule because …". */
  | { readonly ok: false; readonly why: string };

const refuse = (why: string): Proposal => ({ ok: false, why });

/** The narrowest grants that stop the action from asking; each is tested against its examples. */
export function proposeGrants(policy: Policy, action: Action): Proposal {
  const decision = decide(policy, action);
  if (decision.verdict === 'deny') return refuse(`${decision.rule} denies it by now`);
  if (decision.verdict === 'allow')
    return refuse(`the policy does not ask about it: ${decision.rule} allows it`);
  const workspaces = rulesThatAsk(decision).find((rule) => rule.startsWith('workspace.'));
  if (workspaces !== undefined)
    return refuse(`the workspace itself asks about it (${workspaces}, .agent/policies)`);
  const proposal = toProposal(policy, action, rulesThatAsk(decision));
  return proposal.ok ? check(policy, action, proposal.grants) : proposal;
}

function toProposal(policy: Policy, action: Action, asks: readonly string[]): Proposal {
  const { access, args, workspace } = action;
  if (access.section === 'commands') return proposeCommand(policy, action, access, asks);
  const path = access.section === 'paths' ? placeOf(access.path, workspace) : undefined;
  const granted: Granted | undefined = isByCall(access)
    ? { kind: 'call', args }
    : path === undefined
      ? undefined
      : { kind: 'file', path };
  return granted === undefined
    ? refuse('its path is outside the workspace')
    : { ok: true, grants: [withExamples(action, granted, asks)] };
}

function proposeCommand(
  policy: Policy,
  action: Action,
  access: CommandAccess,
  asks: readonly string[],
): Proposal {
  const { workspace } = action;
  const line = toCommandLine(access, workspace);
  const parts = judgeLine(policy, line, workspace);
  const asking = parts.filter(({ decision: { verdict } }) => verdict === 'ask');
  const whole = rulesThatAsk(decideParts(parts)).length < asks.length;
  if (line.kind === 'plain' && !whole && asking.every(({ bare }) => bare === true))
    return { ok: true, grants: toDistinct(asking.map((part) => ofPart(action, part))) };
  const unfit = line.kind === 'plain' ? asking.find(isUnfit) : undefined;
  if (unfit !== undefined)
    return refuse(
      `${unfit.text} is what needs approval (${unfit.decision.rule}), and it is not a command`,
    );
  const [text, cwd] = [access.command, placeOf(access.cwd, workspace)];
  if (text === undefined || cwd === undefined)
    return refuse(`${asks.join(' and ')} asks about every call of ${action.tool}`);
  return { ok: true, grants: [withExamples(action, { kind: 'text', text, cwd }, asks)] };
}

/** A redirection is judged again where it leads, and a variable can change what any program does. */
const isUnfit = ({ kind }: Part): boolean => kind !== 'command';

const ofPart = (action: Action, { argv = [], cwd, decision }: Part): ProposedGrant =>
  withExamples(action, { kind: 'command', argv, cwd }, rulesThatAsk(decision));

const toDistinct = (grants: readonly ProposedGrant[]): ProposedGrant[] => [
  ...new Map(grants.map((grant) => [JSON.stringify(grant.granted), grant])).values(),
];

function withExamples(
  { tool, workspace }: Action,
  granted: Granted,
  lifts: readonly string[],
): ProposedGrant {
  const { match, notMatch } = toExamples(granted);
  return { workspace, tool, granted, lifts, match: [match], notMatch };
}

interface Examples {
  readonly match: string;
  readonly notMatch: readonly string[];
}

function toExamples(granted: Granted): Examples {
  switch (granted.kind) {
    case 'command': {
      const { argv } = granted;
      const last = argv.at(-1) ?? '';
      const others = [[...argv, 'more'], [...argv.slice(0, -1), `${last}x`], argv.slice(0, -1)];
      return {
        match: toText(argv),
        notMatch: others.filter(({ length }) => length > 0).map(toText),
      };
    }
    case 'text':
      return { match: granted.text, notMatch: [`${granted.text}; true`, `true; ${granted.text}`] };
    case 'file':
      return {
        match: granted.path,
        notMatch: granted.path === '.' ? ['other'] : [`${granted.path}x`, `other/${granted.path}`],
      };
    case 'call':
      return {
        match: JSON.stringify(granted.args),
        notMatch: [
          JSON.stringify({ ...granted.args, more: true }),
          ...Object.keys(granted.args).map((key) =>
            JSON.stringify({ ...granted.args, [key]: 'another' }),
          ),
        ].slice(0, 3),
      };
  }
}

/** Quoted so that a shell reads it back. */
const toText = (argv: readonly string[]): string =>
  argv
    .map((word) =>
      /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`,
    )
    .join(' ');

/** A proposal contains no secret, behaves as its examples say, and lets the action pass. */
function check(policy: Policy, action: Action, proposed: readonly ProposedGrant[]): Proposal {
  if (countPlaceholders(JSON.stringify(proposed.map(({ granted }) => granted))).size > 0)
    return refuse('it contains a secret, which no rule may hold');
  const grants = proposed.map((grant, index) => ({
    ...grant,
    id: `always-${index + 1}`,
    by: 'proposal',
    time: '',
  }));
  const [failure] = grants.flatMap((grant) =>
    findFailures({ ...policy, grants: [] }, grant, action),
  );
  if (failure !== undefined) return refuse(`a rule for exactly this fails: ${failure.message}`);
  const { verdict, rule } = decide({ ...policy, grants: [...policy.grants, ...grants] }, action);
  if (verdict !== 'allow') return refuse(`${rule} would still say ${verdict}`);
  return { ok: true, grants: proposed };
}
