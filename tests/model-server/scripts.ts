/** Ready-made scripts. They decide from the conversation alone, so any number of runs can share a server. */
import type { Role, SeenRequest } from './script.ts';
import type { ScriptedCall, ScriptedPlan, ScriptedReview, Turn } from './turns.ts';

/** A script without state: the same request gets the same turn. */
export type PureScript = (request: SeenRequest, seen: number) => Turn;

/** The executor's answers since its step began or was last reported as finished. */
export function countTurns({ messages }: SeenRequest): number {
  const finished = messages.findLastIndex(
    (message) =>
      message.role === 'assistant' && message.calls.some(({ name }) => name === 'finish_step'),
  );
  return messages.slice(finished + 1).filter(({ role }) => role === 'assistant').length;
}

/** The result of the last tool call; empty before the first. */
export const lastResult = ({ messages }: SeenRequest): string =>
  messages.findLast(({ role }) => role === 'tool')?.text ?? '';

export interface StoryParts {
  readonly plan: ScriptedPlan;
  readonly act: PureScript;
  /** Accepts if absent. */
  readonly review?: ScriptedReview;
}

/** One part per role; requests without a role, such as probes, get the text `ok`. */
export const tellStory =
  ({
    plan,
    act,
    review = { verdict: 'accept', notes: 'Done as asked.' },
  }: StoryParts): PureScript =>
  (request, seen) => {
    switch (request.role) {
      case 'planner':
        return { plan };
      case 'executor':
        return act(request, seen);
      case 'reviewer':
        return { review };
      case 'other':
        return { text: 'ok' };
    }
  };

const finish = (summary: string): Turn => ({ finish: { summary, evidence: 'See the results.' } });

/** A one-step plan: the turns in order, then `finish_step`; the review accepts. */
export const oneStep = (turns: readonly Turn[], title = 'Do it'): PureScript =>
  tellStory({
    plan: { approach: 'One step is enough.', steps: [{ id: 's1', title }] },
    act: (request) => turns[countTurns(request)] ?? finish(`${title}: done.`),
  });

/** Id of the step the executor's prompt is about: `Your step s2: …`. */
export const findStepId = ({ messages }: SeenRequest): string | undefined =>
  messages
    .filter(({ role }) => role === 'user')
    .map(({ text }) => /^Your step (\S+): /m.exec(text)?.[1])
    .find((id) => id !== undefined);

/** Several steps, each depending on the one before, each with its own turns and then `finish_step`. */
export function manySteps(turns: Readonly<Record<string, readonly Turn[]>>): PureScript {
  const ids = Object.keys(turns);
  return tellStory({
    plan: {
      steps: ids.map((id, index) => ({
        id,
        title: `Part ${index + 1}`,
        dependsOn: ids.slice(Math.max(index - 1, 0), index),
      })),
    },
    act(request) {
      const id = findStepId(request) ?? '';
      return turns[id]?.[countTurns(request)] ?? finish(`${id}: done.`);
    },
  });
}

/** One step that makes these calls, one per turn. */
export const callsInTurn = (calls: readonly ScriptedCall[], title?: string): PureScript =>
  oneStep(
    calls.map((call) => ({ call: [call] })),
    title,
  );

/** What `happy` writes. */
export const happyFile = { path: 'notes.txt', content: 'Written by a scripted model.\n' } as const;

/**
 * Two steps, three turns each: the first step lists the folder, writes `notes.txt` and finishes;
 * the second lists it, reads the file and finishes. The reviews accept.
 */
export const happy: PureScript = tellStory({
  plan: {
    approach: 'Write the file, then check it.',
    steps: [
      { id: 's1', title: 'Write notes.txt', acceptance: ['notes.txt exists.'] },
      { id: 's2', title: 'Check notes.txt', dependsOn: ['s1'], acceptance: ['It was read.'] },
    ],
  },
  act: (request) => {
    const turn = countTurns(request);
    if (turn === 0) return { text: 'First a look.', call: [{ name: 'list_files', args: {} }] };
    if (turn > 1) return finish(`${happyFile.path} is in place.`);
    return lastResult(request).includes(happyFile.path)
      ? { call: [{ name: 'read_file', args: { path: happyFile.path } }] }
      : { call: [{ name: 'write_file', args: happyFile }] };
  },
});

/** Steps of this many read-only turns, no two calls alike, then `finish_step`: for measuring the engine. */
export const loop = (turns: number, steps = 1): PureScript =>
  tellStory({
    plan: {
      approach: 'Look again and again.',
      steps: Array.from({ length: steps }, (_, index) => ({
        id: `s${index + 1}`,
        title: `Look ${turns} times (${index + 1})`,
      })),
    },
    act: (request) => {
      const turn = countTurns(request);
      if (turn >= turns) return finish(`Looked ${turns} times.`);
      return { call: [{ name: 'search', args: { pattern: `look-${turn + 1}`, path: '.' } }] };
    },
  });

/** The faults of a role come first, one per request and in order; then the script runs unshifted. */
export function withFaults(
  script: PureScript,
  faults: Partial<Record<Role, readonly Turn[]>>,
): PureScript {
  const used = new Map<Role, number>();
  return (request, seen) => {
    const at = used.get(request.role) ?? 0;
    used.set(request.role, at + 1);
    return faults[request.role]?.[at] ?? script(request, seen);
  };
}
