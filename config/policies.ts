import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parsePolicy } from '../policies/parse.ts';
import { applyPreset } from '../policies/presets.ts';
import type { Preset } from '../policies/presets.ts';
import type { Policy } from '../policies/policy.ts';
import { denyEverything, tighten } from '../policies/tighten.ts';
import type { TighteningFiles } from '../policies/tighten.ts';
import type { PolicyProblem } from '../policies/yaml.ts';
import { readOwnFile, readPolicyFile, renderProblem } from './policy-file.ts';
import type { PolicyFile } from './policy-file.ts';

const names = ['tools', 'network', 'paths'] as const;
const alwaysName = 'always';

/**
 * A policy folder's three files as read together, with the always-allow rules and the workspace's tightening, if any.
 */
export interface PolicyBundle {
  readonly policy: Policy;
  /** Over names, lengths and bytes of all files, and the preset unless `standard`; 64 hex digits. */
  readonly sha256: string;
  /** Absolute. */
  readonly dir: string;
  readonly preset: Preset;
  readonly files: Readonly<Record<(typeof names)[number], string>> & { readonly always?: string };
  /** The workspace's own policy files and their absolute folder, if it has any. */
  readonly tightening?: { readonly dir: string; readonly files: TighteningFiles };
  /** What is wrong with the workspace's files, as a sentence; the policy then denies everything. */
  readonly problem?: string;
}

export interface PolicyOptions {
  /** Default: `standard`. */
  readonly preset?: Preset;
  /** Absolute path of the always-allow file; it need not exist. */
  readonly always?: string;
  /** Absolute path of a workspace whose `.agent/policies/` tightens the bundle. */
  readonly workspace?: string;
}

/** An invalid bundle. The message lists every problem, one per line, as `file:line:column: …`. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly dir: string;
  readonly problems: readonly PolicyProblem[];
  constructor(dir: string, problems: readonly PolicyProblem[]) {
    const lines = problems.map((problem) => renderProblem(dir, problem));
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(
      `The policy in ${dir} has ${count}:\n${lines.join('\n')}\nCheck it with: agent policies validate`,
    );
    this.dir = dir;
    this.problems = problems;
  }
}

/**
 * Reads `tools.yaml`, `network.yaml` and `paths.yaml` from a folder, plus a workspace's own files. @throws PolicyError
 * with every mistake, missing files included.
 */
export const readPolicyBundle = (dir: string, options: PolicyOptions = {}): Promise<PolicyBundle> =>
  Promise.resolve().then(() => {
    const bundle = readOperatorBundle(dir, options.preset ?? 'standard', options.always);
    return options.workspace === undefined ? bundle : tightenBundle(bundle, options.workspace);
  });

function readOperatorBundle(
  dir: string,
  preset: Preset,
  alwaysFile: string | undefined,
): PolicyBundle {
  const folder = resolve(dir);
  const read = names.map((name) => readPolicyFile(folder, `${name}.yaml`));
  const problems = read.flatMap((file) => {
    if ('problem' in file) return [file.problem];
    return 'missing' in file ? [file.missing] : [];
  });
  const [tools = '', network = '', paths = ''] = read.map((file) =>
    'text' in file ? file.text : '',
  );
  const always = readAlways(alwaysFile);
  if (always !== undefined && 'problem' in always) problems.push(always.problem);
  if (problems.length > 0) throw new PolicyError(folder, problems);

  const own = { tools, network, paths };
  const files = always !== undefined && 'text' in always ? { ...own, always: always.text } : own;
  const parsed = parsePolicy(files, alwaysFile);
  if (!parsed.ok) throw new PolicyError(folder, parsed.problems);
  const policy = applyPreset(parsed.policy, preset);
  const lines = preset === 'standard' ? [] : [`preset ${preset}\n`];
  return { policy, preset, sha256: hashOf(files, '', lines), dir: folder, files };
}

/** Problems show its whole path, because it is outside the policy folder. */
function readAlways(
  file: string | undefined,
): Exclude<PolicyFile, { missing: unknown }> | undefined {
  const read = file === undefined ? undefined : readPolicyFile('/', file);
  return read === undefined || 'missing' in read ? undefined : read;
}

/**
 * The bundle tightened by the workspace's `.agent/policies/`; the bundle itself if there are none. @throws PolicyError
 * with every mistake in the workspace's files.
 */
export function tightenBundle(bundle: PolicyBundle, workspace: string): PolicyBundle {
  const folder = ['.agent', 'policies'];
  const dir = join(workspace, ...folder);
  const read = names.map((name) => [name, readOwnFile(workspace, folder, `${name}.yaml`)] as const);
  const problems = read.flatMap(([, file]) => ('problem' in file ? [file.problem] : []));
  if (problems.length > 0) throw new PolicyError(dir, problems);
  const files: TighteningFiles = Object.fromEntries(
    read.flatMap(([name, file]) => ('text' in file ? [[name, file.text]] : [])),
  );
  if (Object.keys(files).length === 0) return bundle;
  const tightened = tighten(bundle.policy, files);
  if (!tightened.ok) throw new PolicyError(dir, tightened.problems);
  const sha256 = hashOf(files, 'workspace/', [`${bundle.sha256}\n`]);
  return { ...bundle, policy: tightened.policy, sha256, tightening: { dir, files } };
}

/**
 * As `tightenBundle`, for callers about to act: an unreadable or loosening workspace file denies everything instead of
 * being ignored.
 */
export function tightenOrLock(bundle: PolicyBundle, workspace: string): PolicyBundle {
  try {
    return tightenBundle(bundle, workspace);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const [first] = error.problems;
    const place = first === undefined ? '' : `${first.file}:${first.line}: ${first.message}`;
    const reason = `the workspace’s own policy in ${error.dir} has mistakes (${place})`;
    return { ...bundle, policy: denyEverything(bundle.policy, reason), problem: error.message };
  }
}

function hashOf(
  files: Partial<PolicyBundle['files']>,
  prefix: string,
  lines: readonly string[],
): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(line);
  for (const name of [...names, alwaysName] as const) {
    const text = files[name];
    if (text === undefined) continue;
    const bytes = Buffer.from(text);
    hash.update(`${prefix}${name}.yaml ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}
