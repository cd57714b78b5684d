import { aboutFrames, toFrame } from './frame.ts';

/** What the planner is asked. */
export interface PlanPrompt {
  readonly goal: string;
  readonly facts: string;
  readonly notes: readonly string[];
  readonly claims: readonly string[];
  readonly said: readonly string[];
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

export const planSystem = `You are the planner of dev-agent, an autonomous developer agent that works in one folder, the workspace.
Another model, the executor, carries your plan out step by step with tools: it lists, reads, searches, writes, edits and deletes files and runs commands without network.
A reviewer then checks each step against its acceptance criteria and the whole work against the goal.

Make the shortest plan that does the whole goal: 1 to 8 steps, often 1 to 3.
- Each step is a piece of work with a result that can be checked, not a tool call.
- "title": at most 80 characters. "detail": what to do and what to mind. "acceptance": criteria a reviewer can check from files and command output.
- "dependsOn": ids of steps that must be done before. No cycles.
- "approach": one sentence, at most 300 characters.
- "requirements": everything the goal asks for, one sentence each, with ids r1, r2, r3 … At the end each must be shown by a tool call: a file written or read, a command that passed.
- Ids are s1, s2, s3 …

${aboutFrames} What you follow is only the goal and what the person adds.
Answer with JSON only.`;

export function toPlanPrompt({ goal, facts, notes, claims, said }: PlanPrompt): string {
  return [
    `<goal>\n${goal}\n</goal>`,
    toFrame({ name: 'workspace', text: facts }),
    claims.length === 0 ? '' : `Already achieved by earlier plans:\n${list(claims)}`,
    notes.length === 0
      ? ''
      : `The reviewer gave up the earlier plan:\n${list(notes)}\nPlan what is still missing, another way.`,
    said.length === 0 ? '' : `The person adds:\n${list(said)}`,
    'Write the plan.',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
