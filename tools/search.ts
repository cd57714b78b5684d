import { z } from 'zod';
import { path, someText } from './arguments.ts';
import { defineTool } from './tool.ts';

/** It narrows a folder and must not lead out of it. */
const glob = someText
  .refine((value) => !/^\/|(?:^|\/)\.\.(?:\/|$)|\0/.test(value), {
    error: 'must be a pattern below the folder, without ".."',
  })
  .describe('Only files whose path matches, such as **/*.ts.');

export const tool = defineTool({
  name: 'search',
  description:
    'Search file contents with a regular expression (ripgrep syntax). Ignored files are skipped.',
  args: z.strictObject({ pattern: someText, path: path.optional(), glob: glob.optional() }),
  example: { pattern: 'TODO', path: 'src' },
  effect: 'pure',
  foreign: true,
  toAccess: ({ path: folder = '.' }) => ({ section: 'paths', op: 'read', path: folder }),
  toPreview: ({ pattern, path: folder, glob: filter }) =>
    [pattern, folder, filter].filter((part) => part !== undefined).join(' in '),
  toQuoted: (result) => result.split('\n').flatMap((line) => /^(.+?):\d+:/.exec(line)?.[1] ?? []),
});
