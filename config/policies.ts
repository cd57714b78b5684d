import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parsePolicy } from '../policies/parse.ts';
import type { Policy } from '../policies/schema.ts';
import type { PolicyProblem } from '../policies/yaml.ts';

const names = ['tools', 'network', 'paths'] as const;
const maxBytes = 256 * 1024;

/** The three files of one folder as they were read together. */
export interface PolicyBundle {
  readonly policy: Policy;
  /** Of names, lengths and bytes of the three files; 64 hex digits. */
  readonly sha256: string;
  /** Absolute. */
  readonly dir: string;
  readonly files: Readonly<Record<(typeof names)[number], string>>;
}

/** A bundle that cannot be put in force. The message lists every problem, one a line, as `file:line:column: …`. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly dir: string;
  readonly problems: readonly PolicyProblem[];
  constructor(dir: string, problems: readonly PolicyProblem[]) {
    const lines = problems.map(
      ({ file, line, column, message, expected }) =>
        `${join(dir, file)}:${line}:${column}: ${message}; expected ${expected}`,
    );
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(
      `The policy in ${dir} has ${count}:\n${lines.join('\n')}\nCheck it with: agent policies validate`,
    );
    this.dir = dir;
    this.problems = problems;
  }
}

/**
 * Reads `tools.yaml`, `network.yaml` and `paths.yaml` from a folder.
 * @throws PolicyError with everything that is wrong with them, missing files included.
 */
export async function readPolicyBundle(dir: string): Promise<PolicyBundle> {
  const folder = resolve(dir);
  const read = await Promise.all(names.map((name) => readPolicyFile(folder, `${name}.yaml`)));
  const problems = read.flatMap((file) => ('problem' in file ? [file.problem] : []));
  const [tools = '', network = '', paths = ''] = read.map((file) =>
    'text' in file ? file.text : '',
  );
  if (problems.length > 0) throw new PolicyError(folder, problems);

  const parsed = parsePolicy({ tools, network, paths });
  if (!parsed.ok) throw new PolicyError(folder, parsed.problems);
  const files = { tools, network, paths };
  return { policy: parsed.policy, sha256: hashOf(files), dir: folder, files };
}

function hashOf(files: PolicyBundle['files']): string {
  const hash = createHash('sha256');
  for (const name of names) {
    const bytes = Buffer.from(files[name]);
    hash.update(`${name}.yaml ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

type PolicyFile = { readonly text: string } | { readonly problem: PolicyProblem };

async function readPolicyFile(dir: string, file: string): Promise<PolicyFile> {
  const fault = (message: string, expected: string): PolicyFile => ({
    problem: { file, line: 1, column: 1, message, expected },
  });
  // O_NONBLOCK: opening a FIFO must not wait for somebody to write into it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const opened = await open(join(dir, file), flags).catch((error: NodeJS.ErrnoException) => error);
  if (opened instanceof Error) {
    const missing = opened.code === 'ENOENT' || opened.code === 'ENOTDIR';
    return missing
      ? fault('the file is missing', 'all of tools.yaml, network.yaml and paths.yaml')
      : fault(`the file cannot be read (${opened.code ?? opened.message})`, 'a readable file');
  }
  try {
    const stats = await opened.stat();
    if (!stats.isFile()) return fault('it is not a file', 'a regular file');
    if (stats.size > maxBytes) return fault(`it has ${stats.size} bytes`, `at most ${maxBytes}`);
    const bytes = await opened.readFile();
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return fault('it is not UTF-8 text', 'UTF-8');
    throw error;
  } finally {
    await opened.close();
  }
}
