import { z } from 'zod';
import { path, someText, text } from './arguments.ts';
import { defineTool } from './tool.ts';

const maxLength = 262_144;
const tooLong = { error: `must have at most ${maxLength} characters` };

// Tabs and line breaks separate words; other control characters only mislead the reader.
// oxlint-disable-next-line no-control-regex
const deceiving = /[\u0000-\u0008\u000b-\u001f\u007f]/;

const command = someText
  .refine((line) => line.length <= maxLength, tooLong)
  .refine((line) => !deceiving.test(line), { error: 'contains a control character' });

const argv = z
  .array(text)
  .min(1)
  .refine((words) => words.reduce((sum, word) => sum + word.length + 1, 0) <= maxLength, tooLong);

const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word);

export const tool = defineTool({
  name: 'run_command',
  description:
    'Run a program in the workspace, without network. Give `command` as text (plain words, &&, ||, ;, pipes, redirections) or `argv` as a list. Long output is shortened in the middle.',
  args: z
    .strictObject({
      command: command.optional(),
      argv: argv.optional(),
      cwd: path.optional(),
      timeoutSeconds: z.number().int().min(1).max(3600).optional().describe('120 if absent.'),
    })
    .refine((args) => (args.command === undefined) !== (args.argv === undefined), {
      error: 'give either "command" (text) or "argv" (a list of words)',
    }),
  example: { command: 'npm test' },
  effect: 'workspace',
  foreign: true,
  toAccess: (args) => ({
    section: 'commands',
    command: args.command,
    argv: args.argv,
    cwd: args.cwd,
  }),
  toShown: ({ command: line, argv: words = [], timeoutSeconds }) => ({
    text: line ?? words.map(quote).join(' '),
    rest: { timeoutSeconds },
  }),
  toPreview: ({ command: line, argv: words = [], cwd }) =>
    `${line ?? words.join(' ')}${cwd === undefined ? '' : ` (in ${cwd})`}`,
});
