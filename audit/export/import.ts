/** Reads a bundle back: checks every byte and writes nothing outside the target folder. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Parser } from 'tar';
import type { ReadEntry } from 'tar';

import { scanChain } from '../record/chain.ts';
import { checkLine } from '../record/line.ts';
import type { ChainRecord } from '../record/line.ts';
import {
  isBundlePath,
  keyFileInBundle,
  manifestFile,
  parseManifest,
  signatureFile,
} from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { findRefs } from '../record/refs.ts';
import { judgeSeal, sealBytes } from '../record/keys/seal.ts';
import { parsePublicKey } from '../record/keys/signing-key.ts';
import type { PublicKey } from '../record/keys/signing-key.ts';
import type { Finding } from '../verify/verify.ts';

/** The result of verifying a bundle. */
export interface ExportReading {
  /** Undefined if it cannot be read. */
  readonly manifest?: Manifest;
  /** Id of the signing key. The bundle cannot prove whose key it is. */
  readonly key?: string;
  readonly findings: readonly Finding[];
}

/** The file is not a bundle, or not as it was sealed. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
  readonly exitCode = 1;
  readonly findings: readonly Finding[];
  constructor(file: string, findings: readonly Finding[]) {
    const [{ file: of, what } = { file: '', what: '' }] = findings;
    super(
      `${file} was changed since it was exported and is not used: ${of} ${what}. All findings: agent audit verify ${file}`,
    );
    this.findings = findings;
  }
}

interface Unpacked {
  readonly sha256: string;
  readonly bytes: number;
}

/** More than any run needs; stops a decompression bomb. */
const mostBytes = 64 * 1024 ** 3;

/** Unpacks into an empty folder. @throws Error saying what is wrong with the archive. */
async function unpack(file: string, folder: string): Promise<Map<string, Unpacked>> {
  const found = new Map<string, Unpacked>();
  let total = 0;
  let fault: Error | undefined;
  const refuse = (why: string): void => {
    fault ??= new Error(why);
  };
  const take = (entry: ReadEntry): void => {
    const { path, type } = entry;
    const isPlain = type === 'File' || type === 'OldFile';
    if (fault !== undefined || !isPlain || !isBundlePath(path) || found.has(path)) {
      refuse(`holds ${JSON.stringify(path)} (${type}), which no export contains`);
      entry.resume();
      return;
    }
    found.set(path, { sha256: '', bytes: 0 });
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    const fd = openSync(join(folder, path), 'wx', 0o600);
    const hash: Hash = createHash('sha256');
    let bytes = 0;
    entry.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      total += chunk.length;
      if (total > mostBytes) refuse(`unpacks to more than ${mostBytes} bytes`);
      if (fault !== undefined) return;
      hash.update(chunk);
      writeSync(fd, chunk);
    });
    entry.on('end', () => {
      closeSync(fd);
      found.set(path, { sha256: hash.digest('hex'), bytes });
    });
  };
  const { size } = await stat(file);
  if (size <= sealBytes) throw new Error('is too short to be an export');
  const parser = new Parser({ strict: true, onReadEntry: take });
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', () => resolve());
    parser.on('error', reject);
  });
  ended.catch(() => undefined);
  await pipeline(
    createReadStream(file, { end: size - sealBytes - 1 }),
    createGunzip(),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        parser.write(chunk);
        if (fault !== undefined) throw fault;
      }
      parser.end();
      await ended;
    },
  );
  if (fault !== undefined) throw fault;
  return found;
}

/** Compares the unpacked files with the manifest. */
function judgeFiles(manifest: Manifest, found: ReadonlyMap<string, Unpacked>): Finding[] {
  const findings: Finding[] = [];
  const listed = new Set([manifestFile, signatureFile, keyFileInBundle]);
  for (const { path, sha256, bytes } of manifest.files) {
    listed.add(path);
    const file = found.get(path);
    if (file === undefined) findings.push({ file: path, what: 'is missing from the export' });
    else if (file.sha256 !== sha256 || file.bytes !== bytes) {
      findings.push({ file: path, what: 'is not what the manifest says: it was changed' });
    } else if (path.startsWith('blobs/') && path !== toBlobPath(`sha256:${sha256}`)) {
      findings.push({ file: path, what: `is a blob that hashes to sha256:${sha256}` });
    }
  }
  for (const path of found.keys()) {
    if (!listed.has(path)) findings.push({ file: path, what: 'is not in the manifest' });
  }
  return findings;
}

const toBlobPath = (ref: string): string => `blobs/sha256/${ref.slice(7, 9)}/${ref.slice(9)}`;

/** Verifies an excerpt of an audit log: each line by its hash, neighbours by their chain. */
async function judgeExtract(
  file: string,
  path: string,
  run: string,
  see: (text: string, line: number) => void,
): Promise<Finding[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  if (lines.pop() !== '') return [{ file, line: lines.length + 1, what: 'is cut off' }];
  let last: ChainRecord | undefined;
  for (const [index, line] of lines.entries()) {
    const { seq = 0, prev = '' } = parseHead(line);
    const check = checkLine(Buffer.from(line), { seq: seq - 1, hash: prev });
    const where = { file, line: index + 1 };
    if (!check.ok) return [{ ...where, what: check.why }];
    const { record, text } = check;
    if (record['run'] !== run) return [{ ...where, what: `is of another run than ${run}` }];
    const follows = last === undefined || seq > last.seq;
    if (!follows || (last !== undefined && seq === last.seq + 1 && prev !== last.hash)) {
      return [{ ...where, what: 'does not follow the line before it' }];
    }
    last = record;
    see(text, index + 1);
  }
  return [];
}

const parseHead = (line: string): { readonly seq?: number; readonly prev?: string } => {
  try {
    return (JSON.parse(line) ?? {}) as ChainRecord;
  } catch {
    return {};
  }
};

async function judgeContents(manifest: Manifest, folder: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { run, files } = manifest;
  const has = new Set(files.map(({ path }) => path));
  const missing = new Set<string>();
  const seeIn =
    (file: string) =>
    (text: string, line: number): void => {
      for (const ref of findRefs(text)) {
        if (has.has(toBlobPath(ref)) || missing.has(ref)) continue;
        missing.add(ref);
        findings.push({ file, line, what: `missing blob ${ref}` });
      }
    };
  const log = `run-${run}.jsonl`;
  if (!has.has(log)) findings.push({ file: log, what: 'is missing from the export' });
  for (const { path } of files) {
    if (path.startsWith('audit/')) {
      findings.push(...(await judgeExtract(path, join(folder, path), run, seeIn(path))));
    }
    if (!path.startsWith('run-')) continue;
    if (path !== log) findings.push({ file: path, what: `is the log of another run than ${run}` });
    const see = seeIn(path);
    const scan = await scanChain(join(folder, path), `run ${run}`, (_, text, line) =>
      see(text, line),
    );
    if (scan.kind === 'bad') findings.push({ file: path, line: scan.line, what: scan.why });
  }
  return findings;
}

const readKey = (pem: string): PublicKey | undefined => {
  try {
    return parsePublicKey(pem);
  } catch {
    return undefined;
  }
};

/** Unpacks into an empty folder and verifies everything. */
async function read(file: string, folder: string): Promise<ExportReading> {
  const name = basename(file);
  let found: Map<string, Unpacked>;
  try {
    found = await unpack(file, folder);
  } catch (error) {
    return { findings: [{ file: name, what: `is not an export: ${(error as Error).message}` }] };
  }
  const readText = async (path: string): Promise<string> =>
    found.has(path) ? await readFile(join(folder, path), 'utf8') : '';
  const text = await readText(manifestFile);
  const manifest = parseManifest(text);
  if (manifest === undefined) {
    return { findings: [{ file: manifestFile, what: 'is not a version 1 manifest' }] };
  }
  const key = readKey(await readText(keyFileInBundle));
  if (key === undefined) {
    return {
      manifest,
      findings: [{ file: keyFileInBundle, what: 'is not an Ed25519 public key' }],
    };
  }
  const findings: Finding[] = [];
  if (!key.isSigned(text, (await readText(signatureFile)).trimEnd())) {
    findings.push({ file: signatureFile, what: 'does not sign the manifest with the key' });
  }
  findings.push(...judgeFiles(manifest, found));
  if (findings.length === 0) findings.push(...(await judgeContents(manifest, folder)));
  const broken = await judgeSeal(file, key);
  if (broken !== undefined) findings.push({ file: name, what: broken });
  return { manifest, key: key.id, findings };
}

/** Verifies a bundle offline and leaves nothing behind. */
export async function verifyExport(file: string, temporary: string): Promise<ExportReading> {
  const folder = await mkdtemp(join(temporary, 'agent-export-'));
  try {
    return await read(file, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Verifies a bundle and unpacks it into a new or empty folder: the run's log, `audit/`, `blobs/`, `policies/`,
 * `tools.json` and the manifest. @throws BundleError if a byte differs; the folder is then left as it was.
 */
export async function readExport(
  file: string,
  folder: string,
): Promise<{ readonly manifest: Manifest; readonly key: string }> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0) {
    throw new Error(`${folder} must be empty or new; choose another folder for ${file}.`);
  }
  const temp = await mkdtemp(`${folder}.`);
  try {
    const { manifest, key, findings } = await read(file, temp);
    if (manifest === undefined || key === undefined || findings.length > 0) {
      throw new BundleError(file, findings);
    }
    await rename(temp, folder);
    return { manifest, key };
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}
