import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createOffLimits } from '../config/off-limits.ts';
import type { Limits } from '../policies/action.ts';
import type { ApprovalMode } from '../workflows/contract.ts';
import type { Invocation } from './arguments.ts';
import { usageError } from './errors.ts';
import { createRunId, runIdPattern } from '../client/run-id.ts';

const longestGoalBytes = 32_768;
const largestLimit = 1_000_000_000;

type Flags = Invocation['flags'];

/** The value of an option that takes one; undefined when it was not given. */
export const textOf = (flags: Flags, name: string): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
};

/** @throws CliError when it is empty or longer than 32 KiB. */
export function parseGoal(text: string): string {
  const goal = text.trim();
  if (goal === '') {
    throw usageError(
      'The goal is empty. Usage: agent run "goal"; "-" reads it from standard input.',
    );
  }
  const bytes = Buffer.byteLength(goal);
  if (bytes > longestGoalBytes) {
    throw usageError(
      `The goal is ${bytes} bytes long; at most ${longestGoalBytes} are accepted. Put the details into a file of the workspace and name it in the goal.`,
    );
  }
  return goal;
}

/** Reads a goal from a stream, no further than needed to see that it is too long. */
export async function readGoal(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > 2 * longestGoalBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

const limitFlags = {
  'max-steps': 'steps',
  'max-tool-calls': 'toolCalls',
  'max-model-calls': 'modelCalls',
  'max-tokens': 'tokens',
  'max-minutes': 'minutes',
} as const satisfies Record<string, keyof Limits>;

/** @throws CliError for anything but whole numbers from 1 on, and an amount of dollars. */
export function parseLimits(flags: Flags): Partial<Limits> {
  const limits: { -readonly [K in Exclude<keyof Limits, 'perTool'>]?: number } = {};
  for (const [flag, name] of Object.entries(limitFlags)) {
    const text = textOf(flags, flag);
    if (text !== undefined) limits[name] = parseCount(`--${flag}`, text);
  }
  const usd = textOf(flags, 'max-usd');
  if (usd !== undefined) limits.usd = parseUsd('--max-usd', usd);
  return limits;
}

/** A whole number from 1 to a thousand million. @throws CliError */
export function parseCount(name: string, text: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > largestLimit) {
    throw usageError(`${name} must be a whole number from 1 to ${largestLimit}, got "${text}".`);
  }
  return count;
}

function parseUsd(name: string, text: string): number {
  const usd = /^\d{1,6}(\.\d{1,4})?$/.test(text) ? Number(text) : 0;
  if (usd > 0) return usd;
  throw usageError(`${name} must be an amount of US dollars such as 2.50, got "${text}".`);
}

/** @throws CliError when it is none of the three. */
export function parseApprove(text: string | undefined): ApprovalMode {
  if (text === undefined || text === 'ask') return 'ask';
  if (text === 'auto' || text === 'deny') return text;
  throw usageError(`--approve must be ask, auto or deny, got "${text}".`);
}

/** @throws CliError when the name does not fit; without one, a name is made up. */
export function parseRunId(text: string | undefined): string {
  if (text === undefined) return createRunId();
  if (runIdPattern.test(text)) return text;
  throw usageError(
    `--id must be 1 to 40 lower-case letters, digits and dashes, not starting with a dash, got "${text}".`,
  );
}

/**
 * The folder as an absolute path without symbolic links.
 * @throws CliError when it is no folder, or one in which an agent has no business: the worker refuses it, too.
 */
export function parseWorkspace(
  text: string,
  settings: Parameters<typeof createOffLimits>[0],
): string {
  const path = parseFolder(text);
  requireAllowed(path, settings);
  return path;
}

/** @throws CliError when no run may have the folder, which need not exist yet. */
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

/** The folder as an absolute path without symbolic links. @throws CliError when it is none. */
export function parseFolder(text: string): string {
  const path = resolve(text);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    throw usageError(`The workspace ${path} does not exist. Create it with: mkdir -p ${path}`);
  }
  if (!found.isDirectory()) throw usageError(`The workspace ${path} is not a folder.`);
  return realpathSync(path);
}
