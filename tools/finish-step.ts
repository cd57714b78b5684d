import { z } from 'zod';
import { someText, text } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'finish_step',
  description:
    'Report that the current step is done: what you achieved, and the evidence for each acceptance criterion (files, commands and their exit codes). A reviewer checks it.',
  args: z.strictObject({ summary: someText, evidence: text }),
  example: { summary: 'The test passes.', evidence: 'npm test: exit code 0' },
  effect: 'pure',
  foreign: false,
  control: {
    kind: 'finish',
    reply: 'The step is not finished yet: see what the reviewer or the user says below.',
  },
  toAccess: () => ({ section: 'none' }),
  toPreview: ({ summary }) => summary,
});
