import { z } from 'zod';
import { path } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'list_files',
  description:
    'List a folder of the workspace as a tree with sizes. Start here to get an overview.',
  args: z.strictObject({
    path: path.optional(),
    depth: z
      .number()
      .int()
      .min(1)
      .max(20)
      .optional()
      .describe('Levels below the folder; 3 if absent.'),
  }),
  example: { path: 'src' },
  effect: 'pure',
  foreign: true,
  toAccess: ({ path: folder = '.' }) => ({ section: 'paths', op: 'list', path: folder }),
  toPreview: (args) => args.path ?? JSON.stringify(args),
});
