import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve, sep } from 'node:path';
import type { Limits } from '../policies/action.ts';
import type { ApprovalMode } from '../workflows/contract.ts';
import type { Invocation } from './arguments.ts';
import { usageError } from './errors.ts';
import { createRunId, runIdPattern } from './run-id.ts';

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
 * @throws CliError when it is no folder, or (unless `sure`) so wide that an agent has no business in all of it.
 */
export function parseWorkspace(text: string, stateDir: string, sure: boolean): string {
  const path = parseFolder(text);
  if (sure) return path;
  const wide = ['/', toReal(homedir())].includes(path);
  const why = wide ? 'it holds everything you have' : nearState(path, toReal(stateDir));
  if (why === undefined) return path;
  throw usageError(
    `${path} is not accepted as workspace: ${why}. Choose a project folder with -C, or say --yes.`,
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

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

function nearState(path: string, stateDir: string): string | undefined {
  if (isWithin(path, stateDir)) return `it lies in the state folder ${stateDir}`;
  if (isWithin(stateDir, path)) return `the state folder ${stateDir} lies in it`;
  return undefined;
}

/** A folder that does not exist yet has no links to follow. */
function toReal(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
