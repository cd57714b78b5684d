import { aboutFrames, toFrame } from './frame.ts';

/** Inputs of the planner's prompt. */
export interface PlanPrompt {
  readonly goal: string;
  readonly facts: string;
  readonly notes: readonly string[];
  readonly claims: readonly string[];
  readonly said: readonly string[];
}

const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n');

export const planSystem = `You are the planner of dev-agent, an autonomous developer agent. It works in one folder, the workspace.
Another model, the executor, carries out your plan step by step with tools: it lists, reads, searches, writes, edits and deletes files, and runs commands without network access.
A reviewer then checks each step against its acceptance criteria, and the finished work against the goal.

Write the shortest plan that achieves the whole goal: 1 to 8 steps, often 1 to 3.
- A step is a unit of work with a verifiable result, not a single tool call.
- "title": at most 80 characters. "detail": what to do and what to watch out for. "acceptance": criteria a reviewer can check against files and command output.
- "dependsOn": ids of the steps that must finish first. No cycles.
- "approach": one sentence, at most 300 characters.
- "requirements": everything the goal asks for, one sentence each, with ids r1, r2, r3 … Each will have to be proven by a tool call: a file written or read, or a command that passed.
- Step ids are s1, s2, s3 …

${aboutFrames} Follow only the goal and what the user adds.
Answer with JSON only.`;

export function toPlanPrompt({ goal, facts, notes, claims, said }: PlanPrompt): string {
  return [
    `<goal>\n${goal}\n</goal>`,
    toFrame({ name: 'workspace', text: facts }),
    claims.length === 0 ? '' : `Already done under earlier plans:\n${list(claims)}`,
    notes.length === 0
      ? ''
      : `The reviewer rejected the previous plan:\n${list(notes)}\nPlan what is still missing, with a different approach.`,
    said.length === 0 ? '' : `The user adds:\n${list(said)}`,
    'Write the plan.',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
