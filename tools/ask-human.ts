import { z } from 'zod';
import { someText } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'ask_human',
  description:
    'Ask the user a question and wait for the answer. Only if you cannot find out or decide yourself.',
  args: z.strictObject({ question: someText.max(2000) }),
  example: { question: 'Which of the two databases is in use?' },
  effect: 'pure',
  foreign: false,
  control: { kind: 'question', reply: 'The answer is below.' },
  toAccess: () => ({ section: 'none' }),
  toPreview: ({ question }) => question,
});
