import { z } from 'zod';
import { defineTool } from './tool.ts';

const ref = z
  .string()
  .refine((value) => /^sha256:[0-9a-f]{64}$/.test(value), {
    error: 'must be a reference: sha256: and 64 hex digits',
  });

export const tool = defineTool({
  name: 'read_blob',
  description:
    'Read more of an output that was shortened. `ref` is the sha256:… named in the notice.',
  args: z.strictObject({
    ref,
    start: z.number().int().min(0).optional().describe('First character.'),
    end: z.number().int().min(1).optional().describe('Character after the last.'),
  }),
  example: { ref: `sha256:${'0'.repeat(64)}`, start: 20_000 },
  effect: 'pure',
  foreign: true,
  toAccess: () => ({ section: 'none' }),
  toPreview: (args) => args.ref,
});
