/** The manifest of a run's bundle. */

export interface ManifestFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface Manifest {
  readonly format: 'dev-agent export';
  readonly v: 1;
  readonly run: string;
  /** RFC 3339. */
  readonly created: string;
  /** Versions of the agent and its runtime. */
  readonly versions: Readonly<Record<string, string>>;
  /** sha256 of the policy bundle in force at export. */
  readonly policy?: string;
  readonly files: readonly ManifestFile[];
}

/** The files that describe the others; first in the bundle and not listed in the manifest. */
export const manifestFile = 'manifest.json';
export const signatureFile = 'manifest.sig';
export const keyFileInBundle = 'key.pem';

const paths = [
  /^(manifest\.json|manifest\.sig|key\.pem|tools\.json)$/,
  /^run-[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.jsonl$/,
  /^audit\/\d{4}-\d\d-\d\d\.jsonl$/,
  /^policies\/(tools|network|paths)\.yaml$/,
  /^blobs\/sha256\/[0-9a-f]{2}\/[0-9a-f]{62}$/,
];

/** The only paths a bundle may contain; none leads outside the target folder. */
export const isBundlePath = (path: string): boolean => paths.some((pattern) => pattern.test(path));

const isFile = (value: unknown): value is ManifestFile => {
  const { path, sha256, bytes } = (value ?? {}) as Partial<ManifestFile>;
  return (
    typeof path === 'string' &&
    isBundlePath(path) &&
    /^[0-9a-f]{64}$/.test(sha256 ?? '') &&
    Number.isSafeInteger(bytes)
  );
};

/** Undefined unless it is a manifest of a version we read. */
export const parseManifest = (text: string): Manifest | undefined => {
  let value: Partial<Manifest> | null;
  try {
    value = JSON.parse(text) as Partial<Manifest> | null;
  } catch {
    return undefined;
  }
  const { format, v, run, created, files } = value ?? {};
  if (format !== 'dev-agent export' || v !== 1 || typeof created !== 'string') return undefined;
  if (typeof run !== 'string' || !isBundlePath(`run-${run}.jsonl`)) return undefined;
  return Array.isArray(files) && files.every(isFile) ? (value as Manifest) : undefined;
};
