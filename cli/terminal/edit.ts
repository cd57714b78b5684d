/** Lets a person edit the model's arguments. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import { builtIn } from '../../tools/built-in.ts';
import { usageError } from '../errors.ts';

type Args = ApprovalDetails['args'];

/** Parses arguments given as JSON. @throws CliError if the tool does not accept them. */
export function parseArgs(tool: string, text: string): Args {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`The arguments are not valid JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError('The arguments must be a JSON object, such as {"command": "npm test"}.');
  const problem = builtIn.find(tool)?.findProblem(value as Args);
  if (problem !== undefined) throw usageError(`Invalid arguments for ${tool}: ${problem}.`);
  return value as Args;
}

/** The outcome of editing; an emptied file means "never mind", as in git. */
export type Edited =
  | { readonly kind: 'changed'; readonly args: Args }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'emptied' };

/**
 * Opens the arguments in the editor ($VISUAL, $EDITOR, vi). @throws CliError if the editor fails or the tool does not
 * accept the result.
 */
export async function editArgs({
  tool,
  args,
}: Pick<ApprovalDetails, 'tool' | 'args'>): Promise<Edited> {
  const editor = process.env['VISUAL'] || process.env['EDITOR'] || 'vi';
  const folder = mkdtempSync(join(tmpdir(), 'dev-agent-edit-'));
  const file = join(folder, `${tool}.json`);
  const before = `${JSON.stringify(args, undefined, 2)}\n`;
  try {
    writeFileSync(file, before, { mode: 0o600 });
    const problem = await runEditor(editor, file);
    if (problem !== undefined)
      throw usageError(
        `The editor (${editor}) ended with ${problem}. Nothing was answered. Set EDITOR, or give the arguments: --args '${JSON.stringify(args)}'`,
      );
    const text = readFileSync(file, 'utf8');
    if (text.trim() === '') return { kind: 'emptied' };
    if (text === before) return { kind: 'unchanged' };
    return { kind: 'changed', args: parseArgs(tool, text) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ctrl-C in the editor belongs to the editor. */
const ignore = (): void => undefined;

/** The editor may be a shell command with options, such as `code --wait`; git treats it the same way. */
function runEditor(editor: string, file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' });
    process.on('SIGINT', ignore);
    const settle = (problem: string | undefined): void => {
      process.off('SIGINT', ignore);
      resolve(problem);
    };
    child.once('error', (error) => settle(error.message));
    child.once('exit', (code, signal) =>
      settle(code === 0 ? undefined : `exit code ${code ?? signal}`),
    );
  });
}
