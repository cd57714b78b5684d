import { readFileSync, renameSync } from 'node:fs';
import type { StateFolders } from '../../config/folders.ts';
import { isRunning } from '../../config/process.ts';
import type { Settings } from '../../config/environment.ts';
import type { StackFile } from '../../config/stack.ts';

const isStackFile = (value: unknown): value is StackFile => {
  if (typeof value !== 'object' || value === null) return false;
  const { v, pid, startTime, control, temporal } = value as Partial<StackFile>;
  return (
    v === 1 &&
    typeof pid === 'number' &&
    [startTime, control, temporal].every((field) => typeof field === 'string') &&
    /^http:\/\/127\.0\.0\.1:\d+$/.test(control ?? '')
  );
};

/**
 * The content of `stack.json`, whether or not that stack is still running. A damaged file is set aside, as `damaged`
 * says.
 */
export function readStackFile({ stackFile, tokenFile }: StateFolders): {
  readonly stack?: StackFile;
  readonly damaged?: string;
} {
  let text: string;
  try {
    text = readFileSync(stackFile, 'utf8');
  } catch {
    return {};
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isStackFile(value)) return { stack: { ...value, tokenFile } };
  } catch {
    // Reported below, like any other invalid content.
  }
  const aside = `${stackFile}.damaged`;
  try {
    renameSync(stackFile, aside);
  } catch {
    return {}; // Another command has set it aside.
  }
  return { damaged: `${stackFile} was damaged; it is now ${aside}, and a new stack is started.` };
}

/** The running stack, or undefined. Neither starts one nor checks that Temporal answers. */
export function readStack(settings: Settings): StackFile | undefined {
  const { stack } = readStackFile(settings.folders);
  return stack !== undefined && isRunning(stack) ? stack : undefined;
}

/** The supervisor checks its file once a second. */
export const rewriteMs = 1_500;
