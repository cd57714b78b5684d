import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { execute } from '../activities/sandbox/execute.ts';

/** The compiled workflow code. */
export interface Bundle {
  readonly codePath: string;
  /** sha256 of the code, 64 hex digits: ties a history to the code that produced it. */
  readonly sha256: string;
}

const workflows = fileURLToPath(new URL('../workflows', import.meta.url));

/** Hash of everything in the bundle: our sources and the SDK. */
async function hashSources(): Promise<string> {
  const hash = createHash('sha256');
  const require = createRequire(import.meta.url);
  const sdk = require('@temporalio/worker/package.json') as { version: string };
  hash.update(`@temporalio/worker ${sdk.version}\n`);
  const entries = await readdir(workflows, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  for (const [index, text] of (await Promise.all(files.map((file) => readFile(file)))).entries()) {
    hash.update(`${relative(workflows, files[index] ?? '')} ${text.length}\n`).update(text);
  }
  return hash.digest('hex');
}

/**
 * The bundle for the current sources and failure encoding, from the cache, compiled on first use (about 1.5 s) in a
 * separate process: the compiler would permanently double the worker's memory.
 */
export async function readBundle(
  cacheDir: string,
  { failureConverterPath = '' }: Pick<DataConverter, 'failureConverterPath'> = {},
): Promise<Bundle> {
  const folder = join(cacheDir, 'bundles');
  const kind = failureConverterPath === '' ? 'workflows' : 'encrypting';
  const codePath = join(folder, `${kind}-${(await hashSources()).slice(0, 32)}.js`);
  if (!existsSync(codePath)) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const compiler = fileURLToPath(new URL('compile.ts', import.meta.url));
    const args = [compiler, join(workflows, 'index.ts'), codePath, failureConverterPath];
    await execute(process.execPath, args);
  }
  const sha256 = createHash('sha256')
    .update(await readFile(codePath))
    .digest('hex');
  return { codePath, sha256 };
}
