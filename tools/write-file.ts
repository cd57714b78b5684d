import { z } from 'zod';
import { path, text } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'write_file',
  description:
    'Write a whole text file; missing folders are created. To change part of a file, use edit_file.',
  args: z.strictObject({ path, content: text }),
  example: { path: 'notes.txt', content: 'One line.\n' },
  effect: 'workspace',
  foreign: false,
  toAccess: ({ path: file, content }) => ({ section: 'paths', op: 'write', path: file, content }),
  toPreview: ({ path: file }) => file,
  toChanged: ({ content }) => content,
});
