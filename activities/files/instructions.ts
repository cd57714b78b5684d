import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './files.ts';
import type { Authorize } from './files.ts';
import { PathRefused } from './walk.ts';

const maxBytes = 32_768;
const file = 'AGENTS.md';

/**
 * The instructions a folder's owner wrote for agents, or why they do not count: only a regular file in its own place,
 * never one a link leads to. Empty if there are none.
 */
export function readInstructions(root: string, authorize: Authorize): string {
  if (lstatSync(join(root, file), { throwIfNoEntry: false })?.isSymbolicLink() === true)
    return `${file} was not read: it is a symbolic link, and instructions must be a regular file.`;
  try {
    const text = readText(root, file, { maxBytes, authorize, keepLink: true });
    return `Instructions from the folder's owner (${file}):\n${text}`;
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    return error.code === 'missing' ? '' : `${file} was not read: ${error.message}`;
  }
}
