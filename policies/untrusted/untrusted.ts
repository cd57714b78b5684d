import type { Action, Decision } from '../action.ts';
import type { Suspicion } from './injection.ts';
import type { InjectionKind } from './patterns.ts';
import type { Policy } from '../policy.ts';
import { toCommandLine } from '../commands/shell.ts';

/** Untrusted text in a conversation. */
export interface Untrusted {
  /** The call that returned it, for people: `read_file README.md`. */
  readonly source: string;
  /** How it tries to give orders; empty if it does not seem to. */
  readonly kinds: readonly InjectionKind[];
  /** Set if it comes from outside the project. */
  readonly outside?: Outside;
}

/** Where outside text came from: the network, an MCP server, a file not in any commit when the run began. */
export type Outside = 'network' | 'mcp' | 'file';

/** What to remember about text from a source; undefined if the policy does not count it. */
export const toUntrusted = (
  policy: Policy,
  source: string,
  suspicious: readonly Suspicion[],
  outside?: Outside,
): Untrusted | undefined => {
  const kinds = suspicious.map(({ kind }) => kind);
  const untrusted = { source: source.trim(), kinds, outside };
  return countsAsUntrusted(policy, untrusted) ? untrusted : undefined;
};

const countsAsUntrusted = (
  { untrusted: { seen } }: Policy,
  { kinds, outside }: Untrusted,
): boolean => seen === 'any' || kinds.length > 0 || (seen === 'outside' && outside !== undefined);

const steppedUp = 'untrusted.stepped-up';

/** Asks about an allowed action if the model has read untrusted text that may be behind it. */
export function stepUp(
  decision: Decision,
  policy: Policy,
  action: Action,
  untrusted: Untrusted | undefined,
): Decision {
  if (untrusted === undefined || decision.verdict !== 'allow') return decision;
  if (!countsAsUntrusted(policy, untrusted)) return decision;
  if (!isAskedFor(policy, decision, action, untrusted)) return decision;
  return {
    ...decision,
    verdict: 'ask',
    rule: steppedUp,
    reason: `${decision.rule} allows it, but the conversation holds ${describe(untrusted)}, read by ${untrusted.source.slice(0, 160)}. Is this what you want?`,
  };
}

function describe({ kinds, outside }: Untrusted): string {
  if (kinds.length > 0) return `text that tries to give instructions (${kinds.join(', ')})`;
  if (outside === undefined) return 'text from elsewhere';
  switch (outside) {
    case 'network':
      return 'text from the network';
    case 'mcp':
      return 'text from an MCP server';
    case 'file':
      return 'text of a file that was not committed when the run began';
  }
}

function isAskedFor(
  { untrusted: { askFor, seen } }: Policy,
  { effect }: Decision,
  { access, workspace }: Action,
  { kinds }: Untrusted,
): boolean {
  switch (askFor) {
    case 'nothing':
      return false;
    case 'changes':
      return effect !== 'pure';
    case 'reaching':
      return (
        effect === 'external' ||
        effect === 'idempotent' ||
        // A script stays in the sandbox, so outside text alone does not make each one ask.
        ((kinds.length > 0 || seen === 'any') &&
          access.section === 'commands' &&
          toCommandLine(access, workspace).kind !== 'plain')
      );
  }
}
