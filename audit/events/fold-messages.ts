/** Events about people's messages to the run. */
import type { MessagesRequest, MessagesResult } from '../../activities/contract/messages.ts';
import type { ApprovalAnswer, RewindOrder } from '../../workflows/contract.ts';
import { foldApproval } from './fold-actions.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEventBody } from './run-event.ts';

const maxUnchecked = 1_000;

const toText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Messages take effect at once only in runs older than signed messages. */
const isChecked = ({ input }: ProjectionState): boolean => input?.order !== undefined;

export function foldSignal(
  state: ProjectionState,
  name: string,
  [first, second, third, proof]: readonly unknown[],
): RunEventBody[] {
  if (!isChecked(state)) return foldMessage(state, name, toText(first), toText(second), third);
  const { nonce } = (proof ?? {}) as { readonly nonce?: unknown };
  if (name === 'say' && state.unchecked.size < maxUnchecked)
    state.unchecked.set(toText(nonce), { text: toText(first), to: third });
  return [];
}

export function foldUpdate(
  state: ProjectionState,
  name: string,
  [argument]: readonly unknown[],
): RunEventBody[] {
  if (argument === undefined) return [];
  if (name === 'rewind') return isChecked(state) ? [] : foldRewind(state, argument as RewindOrder);
  return name === 'answerApproval' ? foldApproval(state, argument as ApprovalAnswer) : [];
}

export function foldChecked(
  state: ProjectionState,
  { messages }: MessagesRequest,
  { problems }: MessagesResult,
): RunEventBody[] {
  return messages.flatMap(({ what, by, about = '', nonce }, index) => {
    const said = state.unchecked.get(nonce);
    state.unchecked.delete(nonce);
    if (problems[index] !== null) return [];
    if (what === 'rewind') return foldRewind(state, { step: about, by });
    if (what === 'say') return foldMessage(state, what, said?.text ?? '', by, said?.to);
    if (what === 'policyChanged') return foldMessage(state, what, about, by);
    return foldMessage(state, what, by);
  });
}

function foldMessage(
  state: ProjectionState,
  name: string,
  first: string,
  second = '',
  third?: unknown,
): RunEventBody[] {
  switch (name) {
    case 'pause':
      if (state.paused) return [];
      state.paused = true;
      return [{ type: 'run.paused', by: first }];
    case 'resume':
      if (!state.paused) return [];
      state.paused = false;
      return [{ type: 'run.resumed', by: first }];
    case 'policyChanged':
      return [{ type: 'policy.changed', policy: first, by: second }];
    case 'say':
      if (first === '') return [];
      return [{ type: 'said', text: first, by: second, to: takeAnswered(state, third) }];
    default:
      return [];
  }
}

/** The question a message answers: the one it names or, from older clients, the only open one. */
function takeAnswered({ asking }: ProjectionState, named: unknown): string | undefined {
  const [only] = asking.size === 1 ? asking.keys() : [];
  const to = named === undefined || named === null ? only : toText(named);
  return to !== undefined && asking.delete(to) ? to : undefined;
}

function foldRewind(state: ProjectionState, { step, by }: RewindOrder): RunEventBody[] {
  state.open.clear();
  state.worktrees.clear();
  state.asking.clear();
  const together = state.batches.get(step);
  return [{ type: 'run.rewound', step, by, together }];
}
