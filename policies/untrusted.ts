import type { Action, Decision } from './action.ts';
import type { Suspicion } from './injection.ts';
import type { InjectionKind } from './injection-patterns.ts';
import type { Policy } from './schema.ts';
import { toCommandLine } from './shell.ts';

/** Text from elsewhere that a conversation has in it. */
export interface Untrusted {
  /** The call it came with, as people read it: `read_file README.md`. */
  readonly source: string;
  /** In which ways it tries to give orders; none where nothing of the kind was seen. */
  readonly kinds: readonly InjectionKind[];
}

/** Tools whose results are the engine's own words. */
const own = new Set(['write_file', 'edit_file', 'delete_file', 'ask_human', 'finish_step']);

/** True for tools whose results others have written: files, programs, servers. */
export const isForeign = (tool: string): boolean => !own.has(tool);

/** What is to be remembered of text from a source; undefined for what does not count under the policy. */
export const toUntrusted = (
  policy: Policy,
  source: string,
  suspicious: readonly Suspicion[],
): Untrusted | undefined => {
  const kinds = suspicious.map(({ kind }) => kind);
  return countsAsUntrusted(policy, kinds) ? { source: source.trim(), kinds } : undefined;
};

const countsAsUntrusted = (
  { untrusted: { seen } }: Policy,
  kinds: readonly InjectionKind[],
): boolean => seen === 'any' || kinds.length > 0;

const steppedUp = 'untrusted.stepped-up';

/** Asks a person about what the policy allows when the model has untrusted text before it: it may be that text that wants it. */
export function stepUp(
  decision: Decision,
  policy: Policy,
  action: Action,
  untrusted: Untrusted | undefined,
): Decision {
  if (untrusted === undefined || decision.verdict !== 'allow') return decision;
  if (!countsAsUntrusted(policy, untrusted.kinds)) return decision;
  if (!isAskedFor(policy, decision, action)) return decision;
  const what =
    untrusted.kinds.length === 0
      ? 'holds text from elsewhere'
      : `holds text that tries to give orders (${untrusted.kinds.join(', ')})`;
  return {
    ...decision,
    verdict: 'ask',
    rule: steppedUp,
    reason: `${decision.rule} allows it, but the conversation ${what}, read by ${untrusted.source.slice(0, 160)}. Is this what you want?`,
  };
}

function isAskedFor(
  { untrusted: { askFor } }: Policy,
  { effect }: Decision,
  { tool, args, workspace }: Action,
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
        (tool === 'run_command' && toCommandLine(args, workspace).kind !== 'plain')
      );
  }
}
