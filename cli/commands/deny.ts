import { answerRequest } from '../answer.ts';
import { defineCommand } from '../command.ts';

/** `agent deny`: refuses the action; the model gets the reason and looks for another way. */
export const command = defineCommand({
  options: { reason: { value: 'text', help: 'why; the model reads it' } },
  example: 'agent deny brave-otter-4f2a --reason "not on main"',
  run: ({ args: [run, request], options: { reason }, json }) =>
    answerRequest({ answer: 'deny', run, request, reason, json }),
});
