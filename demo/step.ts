/** The steps of the demo's plan, and which of them a prompt is about. */
import type { NormalMessage } from './exchange.ts';
import { pageName } from './listing.ts';

/** `any` where the prompt names none of our steps: another planner made the plan. */
export type DemoStep = 'write' | 'check' | 'any';

export const titles: Readonly<Record<Exclude<DemoStep, 'any'>, string>> = {
  write: `Look at the workspace and write ${pageName}`,
  check: `Check ${pageName} against the workspace`,
};

/** A line that singles its step out: "Your step s1: …", "Step s1: …", "… <- this step". */
const isMark = (line: string): boolean =>
  /\b(your|this|current)\b.{0,20}\bstep\b|\bcurrent\b|[▶→⇒]|^\s*(#+\s*)?step\b/i.test(line);

const toStep = (line: string): DemoStep =>
  line.includes(titles.check) ? 'check' : line.includes(titles.write) ? 'write' : 'any';

/** A prompt may list the whole plan and say which step is meant: the title marked last, or the only one named. */
export function findStep(messages: readonly NormalMessage[]): DemoStep {
  const start = messages.findIndex(({ role }) => role === 'assistant' || role === 'tool');
  const asked = start === -1 ? messages : messages.slice(0, start);
  const lines = asked
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => toStep(line) !== 'any');
  const marked = lines.findLast(isMark);
  if (marked !== undefined) return toStep(marked);
  const [named = 'any', ...others] = new Set(lines.map(toStep));
  return others.length === 0 ? named : 'any';
}
