import { z } from 'zod';
import { path } from './arguments.ts';
import { defineTool } from './tool.ts';

const line = z.number().int().min(1);

export const tool = defineTool({
  name: 'read_file',
  description: 'Read a text file, all of it or a range of lines. Lines count from 1.',
  args: z.strictObject({ path, startLine: line.optional(), endLine: line.optional() }),
  example: { path: 'README.md' },
  effect: 'pure',
  foreign: true,
  toAccess: ({ path: file }) => ({ section: 'paths', op: 'read', path: file }),
  toPreview: ({ path: file, startLine }) =>
    startLine === undefined ? file : `${file}:${startLine}`,
});
