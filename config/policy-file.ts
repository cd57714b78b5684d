import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { PolicyProblem } from '../policies/yaml.ts';
import { readWorkspaceFile } from './workspace-file.ts';

const maxBytes = 256 * 1024;

/** A mistake in the form editors can jump to. */
export const renderProblem = (
  dir: string,
  { file, line, column, message, expected }: PolicyProblem,
): string => `${resolve(dir, file)}:${line}:${column}: ${message}; expected ${expected}`;

export type PolicyFile =
  | { readonly text: string }
  | { readonly problem: PolicyProblem }
  | { readonly missing: PolicyProblem };

const toProblem = (file: string, message: string, expected: string): PolicyProblem => ({
  file,
  line: 1,
  column: 1,
  message,
  expected,
});

const toMissing = (file: string): PolicyFile => ({
  missing: toProblem(file, 'the file is missing', 'all of tools.yaml, network.yaml and paths.yaml'),
});

/** Reads one of the operator's small YAML files, following links but never blocking. */
export function readPolicyFile(dir: string, file: string): PolicyFile {
  const fault = (message: string, expected: string): PolicyFile => ({
    problem: toProblem(file, message, expected),
  });
  let fd: number;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    fd = openSync(join(dir, file), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? toMissing(file)
      : fault(`the file cannot be read (${code ?? message})`, 'a readable file');
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return fault('it is not a file', 'a regular file');
    if (stats.size > maxBytes) return fault(`it has ${stats.size} bytes`, `at most ${maxBytes}`);
    const bytes = readFileSync(fd);
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return fault('it is not UTF-8 text', 'UTF-8');
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads one of a workspace's small YAML files; `folder` is its place below the root. */
export function readOwnFile(root: string, folder: readonly string[], file: string): PolicyFile {
  const read = readWorkspaceFile(root, [...folder, file], maxBytes);
  switch (read.state) {
    case 'read':
      return { text: read.text };
    case 'missing':
      return toMissing(file);
    case 'refused':
      return { problem: toProblem(file, read.reason, read.expected) };
  }
}
