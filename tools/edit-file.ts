import { z } from 'zod';
import { path, someText, text } from './arguments.ts';
import { defineTool } from './tool.ts';

export const tool = defineTool({
  name: 'edit_file',
  description:
    'Replace an exact piece of text in a file. `old` must occur exactly once, including white space; set `all` to replace every occurrence.',
  args: z.strictObject({ path, old: someText, new: text, all: z.boolean().optional() }),
  example: { path: 'README.md', old: 'colour', new: 'color' },
  effect: 'workspace',
  foreign: false,
  toAccess: (args) => ({ section: 'paths', op: 'edit', path: args.path, content: args.new }),
  toPreview: ({ path: file }) => file,
  toChanged: ({ old, new: replacement, all }, before) =>
    all === true
      ? before.replaceAll(old, () => replacement)
      : before.replace(old, () => replacement),
});
