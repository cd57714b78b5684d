import { answerRequest } from '../answer.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../errors.ts';

/** `agent approve`: allows exactly the action shown. */
export const command = defineCommand({
  options: {
    reason: { value: 'text', help: 'why, for the record' },
    edit: { help: 'change the arguments in your editor first; what you write is approved' },
    args: { value: 'json', help: 'the same, with arguments given here' },
    always: { help: 'and add a rule to your policy, so that you are not asked this again' },
    yes: { help: 'add the rule without asking' },
  },
  example: 'agent approve brave-otter-4f2a a1',
  async run({ args: [run, request], options, json }) {
    const { edit, args, always, yes } = options;
    if (edit && args !== undefined) throw usageError('Give either --edit or --args, not both.');
    if (always && (edit || args !== undefined))
      throw usageError('--always is about what the model asked for: give no --edit or --args.');
    if (yes && !always) throw usageError('--yes goes with --always.');
    return await answerRequest({ ...options, answer: 'approve', run, request, json });
  },
});
