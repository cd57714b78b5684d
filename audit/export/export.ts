/** A run's complete record in one signed file: to keep, hand over or restore elsewhere. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { create } from 'tar';

import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { asStored } from '../../policies/secrets/redaction.ts';
import { createBlobStore, isRef } from '../record/blobs.ts';
import { scanChain } from '../record/chain.ts';
import { readDays, toDayIdentity } from '../record/log.ts';
import { keyFileInBundle, manifestFile, signatureFile } from './manifest.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { findMentions, findRefs } from '../record/refs.ts';
import { seal } from '../record/keys/seal.ts';
import { ensureSigningKey, toKeyFile } from '../record/keys/signing-key.ts';
import { verifyState } from '../verify/verify.ts';
import type { Finding } from '../verify/verify.ts';
import { ifMissing } from '../record/missing.ts';

export { readExport } from './import.ts';

export interface ExportRun {
  /** State folder. */
  readonly root: string;
  readonly run: string;
  /** Path of the bundle to write. */
  readonly out: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly policy?: {
    readonly sha256: string;
    readonly files: Readonly<Record<'tools' | 'network' | 'paths', string>>;
  };
  /** The tool registry as JSON. */
  readonly tools?: string;
  readonly keyFile?: string;
}

export interface Exported {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** Id of the signing key. */
  readonly key: string;
}

/** The run's record does not verify, so signing it would certify a false record. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
  readonly exitCode = 1;
  readonly findings: readonly Finding[];
  constructor(run: string, findings: readonly Finding[]) {
    const [{ file, what } = { file: '', what: '' }] = findings;
    super(
      `The record of run ${run} was changed since it was written and is not exported: ${file} ${what}. ` +
        `All findings: agent audit verify ${run}`,
    );
    this.findings = findings;
  }
}

/** Copies the run's own audit lines unchanged. Returns the refs in them. */
async function writeAudit(root: string, run: string, folder: string): Promise<string[]> {
  const { audit } = toStateFolders(root);
  const refs: string[] = [];
  const days = await readDays(audit).catch(ifMissing([]));
  for (const name of days) {
    const lines: string[] = [];
    await scanChain(join(audit, name), toDayIdentity(name), (record, text) => {
      if (record['run'] !== run) return;
      lines.push(`${text}\n`);
      refs.push(...findRefs(text));
    });
    if (lines.length === 0) continue;
    await mkdir(join(folder, 'audit'), { recursive: true });
    await writeFile(join(folder, 'audit', name), lines.join(''));
  }
  return refs;
}

/** Copies the named blobs and, transitively, the blobs they name. */
async function writeBlobs(root: string, folder: string, named: readonly string[]): Promise<void> {
  const from = createBlobStore(toStateFolders(root).blobs);
  const to = createBlobStore(join(folder, 'blobs'), asStored);
  const queue = [...named];
  const seen = new Set<string>();
  const must = new Set(named);
  for (let ref = queue.pop(); ref !== undefined; ref = queue.pop()) {
    if (seen.has(ref) || !isRef(ref)) continue;
    seen.add(ref);
    const there = await stat(from.pathOf(ref)).catch(() => undefined);
    // Text that merely looks like a ref.
    if (there === undefined && !must.has(ref)) continue;
    const bytes = await from.get(ref);
    await to.put(bytes);
    queue.push(...findMentions(bytes));
  }
}

async function writeOthers(folder: string, { policy, tools }: ExportRun): Promise<void> {
  if (tools !== undefined) await writeFile(join(folder, 'tools.json'), tools);
  if (policy === undefined) return;
  await mkdir(join(folder, 'policies'));
  for (const [name, text] of Object.entries(policy.files)) {
    await writeFile(join(folder, 'policies', `${name}.yaml`), text);
  }
}

async function describeFile(folder: string, path: string): Promise<ManifestFile> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(folder, path)), hash);
  const { size } = await stat(join(folder, path));
  return { path, sha256: hash.digest('hex'), bytes: size };
}

async function readFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** Writes a run's bundle. @throws ExportError if its record does not verify. */
export async function exportRun(options: ExportRun): Promise<Exported> {
  const { root, run, out, versions, policy, keyFile = toKeyFile() } = options;
  const { findings } = await verifyState(root, { run, keyFile });
  if (findings.length > 0) throw new ExportError(run, findings);
  const key = ensureSigningKey(keyFile);
  const folder = await mkdtemp(`${out}.`);
  const temp = `${out}.${randomUUID()}.tmp`;
  try {
    const log = `run-${run}.jsonl`;
    await copyFile(toRunLog(root, run), join(folder, log));
    const refs = await writeAudit(root, run, folder);
    await scanChain(join(folder, log), `run ${run}`, (_, text) => {
      refs.push(...findRefs(text));
    });
    await writeBlobs(root, folder, refs);
    await writeOthers(folder, options);
    const files: ManifestFile[] = [];
    for (const path of await readFiles(folder)) files.push(await describeFile(folder, path));
    const manifest: Manifest = {
      format: 'dev-agent export',
      v: 1,
      run,
      created: new Date().toISOString(),
      versions,
      policy: policy?.sha256,
      files,
    };
    const text = `${JSON.stringify(manifest, undefined, 1)}\n`;
    await writeFile(join(folder, manifestFile), text);
    await writeFile(join(folder, signatureFile), `${key.sign(text)}\n`);
    await writeFile(join(folder, keyFileInBundle), key.pem);
    const order = [manifestFile, signatureFile, keyFileInBundle, ...files.map(({ path }) => path)];
    await pipeline(
      create({ cwd: folder, gzip: true, portable: true }, order),
      createWriteStream(temp, { mode: 0o600, flags: 'wx', flush: true }),
    );
    await seal(temp, key);
    await rename(temp, out);
    return { manifest, bytes: (await stat(out)).size, key: key.id };
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(temp, { force: true });
  }
}
