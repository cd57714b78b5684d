import { z } from 'zod';
import { path } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'delete_file',
  description: 'Delete one file.',
  args: z.strictObject({ path }),
  example: { path: 'notes.txt' },
  effect: 'workspace',
  foreign: false,
  toAccess: ({ path: file }) => ({ section: 'paths', op: 'delete', path: file }),
  toPreview: ({ path: file }) => file,
  toChanged: () => '',
});
