/** A small program in the place of a language model: it can describe a workspace, and says so. */
import type { NormalAnswer, NormalRequest } from './exchange.ts';
import { pageName } from './listing.ts';
import { readObserved } from './observed.ts';
import { reviewWork } from './review.ts';
import { findStep, titles } from './step.ts';
import { workOn } from './work.ts';

const whoIAm =
  'Demo model: I am a small program, not a language model. Whatever the goal, all I can do is describe a workspace';

const plan = {
  approach: `${whoIAm}: I look at it, write ${pageName} and check it.`,
  steps: [
    {
      id: 's1',
      title: titles.write,
      detail: `List the files, read what says what the project is, look at the last commits, and write ${pageName} from what the tools returned.`,
      dependsOn: [],
      acceptance: [`${pageName} was written with write_file.`],
    },
    {
      id: 's2',
      title: titles.check,
      detail: `List the files again, read ${pageName} back and compare the numbers.`,
      dependsOn: ['s1'],
      acceptance: [`${pageName} was read back with read_file and agrees with the listing.`],
    },
  ],
};

/** Depends on the request alone: the same conversation gets the same answer. */
export async function answerDemo(request: NormalRequest): Promise<NormalAnswer> {
  const { schema, tools, messages } = request;
  if (schema === 'plan') return { json: plan };
  if (schema === 'review') return { json: reviewWork(messages) };
  const names = new Set(tools.map(({ name }) => name));
  if (names.has('list_files') && names.has('write_file') && names.has('finish_step')) {
    return workOn(findStep(messages), readObserved(messages), names);
  }
  return { text: `${whoIAm}, with the tools of dev-agent.` };
}
