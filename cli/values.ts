/** Parsers for values that several commands take. */
import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createOffLimits } from '../config/off-limits.ts';
import { usageError } from './errors.ts';

const maxGoalBytes = 32_768;
const maxCount = 1_000_000_000;

export const folderOption = {
  value: 'dir',
  short: 'C',
  help: 'the workspace; default: this folder',
  parse: parseFolder,
};

export const stepOption = { value: 'k', help: 'the step, such as 2 or s2' };

/** @throws CliError if it is empty or longer than 32 KiB. */
export function parseGoal(text: string): string {
  const goal = text.trim();
  if (goal === '') {
    throw usageError(
      'The goal is empty. Usage: agent run "goal"; "-" reads it from standard input.',
    );
  }
  const bytes = Buffer.byteLength(goal);
  if (bytes > maxGoalBytes) {
    throw usageError(
      `The goal is ${bytes} bytes long; at most ${maxGoalBytes} are accepted. Put the details into a file of the workspace and name it in the goal.`,
    );
  }
  return goal;
}

/** Reads a goal from a stream, stopping once it is too long. */
export async function readGoal(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > 2 * maxGoalBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A whole number from 1 to 1,000,000,000. @throws CliError */
export function parseCount(text: string, name: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > maxCount) {
    throw usageError(`${name} must be a whole number from 1 to ${maxCount}, got "${text}".`);
  }
  return count;
}

/**
 * The folder as an absolute path without symbolic links. @throws CliError if it is not a folder, or off limits; the
 * worker refuses those too.
 */
export function parseWorkspace(
  text: string,
  settings: Parameters<typeof createOffLimits>[0],
): string {
  const path = parseFolder(text);
  requireAllowed(path, settings);
  return path;
}

/** @throws CliError if no run may use the folder, which need not exist yet. */
export function requireAllowed(
  path: string,
  settings: Parameters<typeof createOffLimits>[0],
): void {
  const why = createOffLimits(settings)(path);
  if (why === undefined) return;
  throw usageError(
    `${path} is not accepted as workspace: ${why}. Choose a project folder with -C.`,
  );
}

/** The folder as an absolute path without symbolic links. @throws CliError if it is not a folder. */
export function parseFolder(text: string): string {
  const path = resolve(text);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw usageError(`The workspace ${path} does not exist. Create it with: mkdir -p ${path}`);
  }
  if (!found.isDirectory()) throw usageError(`The workspace ${path} is not a folder.`);
  return realpathSync(path);
}
