import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { lonelyEnvironment } from './environment.ts';
import type { Setting } from './keys.ts';
import { maxSettingsBytes, renderSetting, toSetting } from './settings.ts';
import { execute } from '../execute.ts';

/** Settings of a git folder with which git would start a program or read from elsewhere. */
export interface RiskySettings {
  /** Relative to the workspace. */
  readonly file: string;
  /** git's names, such as `filter.x.clean`; unique and sorted. Empty if git cannot read the file. */
  readonly keys: readonly string[];
  /** True for a link, which nothing can be mounted over. */
  readonly isLink: boolean;
  /** The file's other settings, as git would write them. */
  readonly rest: string;
}

const any = String.raw`.+`;

/** Settings that name a program, a command line, or a replacement file or server. */
const risky = new RegExp(
  `^(?:${[
    'core\\.(?:fsmonitor|sshcommand|hookspath|pager|editor|askpass|gitproxy|attributesfile|excludesfile|alternaterefscommand)',
    'sequence\\.editor',
    `pager\\.${any}`,
    `(?:credential|credential\\.${any})\\.helper`,
    `gpg\\.(?:program|${any}\\.program|ssh\\.defaultkeycommand)`,
    'diff\\.external',
    `diff\\.${any}\\.(?:command|textconv)`,
    `merge\\.${any}\\.driver`,
    `(?:merge|diff|gui)tool\\.${any}\\.(?:cmd|path)`,
    `filter\\.${any}\\.(?:clean|smudge|process)`,
    `(?:include|includeif\\.${any})\\.path`,
    `url\\.${any}\\.(?:insteadof|pushinsteadof)`,
    `protocol\\.(?:allow|${any}\\.allow)`,
    `remote\\.${any}\\.(?:uploadpack|receivepack|vcs)`,
    'uploadpack\\.packobjectshook',
    'interactive\\.difffilter',
    `(?:browser|man)\\.${any}\\.(?:cmd|path)`,
    `trailer\\.${any}\\.(?:command|cmd)`,
    `tar\\.${any}\\.command`,
    `sendemail\\.(?:${any}\\.)?(?:smtpserver|tocmd|cccmd|headercmd)`,
    'init\\.templatedir',
    `imap\\.tunnel`,
  ].join('|')})$`,
);

/** git's built-in programs, and values that disable one. */
const harmless: Readonly<Record<string, RegExp>> = {
  'core.fsmonitor': /^(?:|true|false|yes|no|on|off|0|1)$/i,
  'core.pager': /^(?:|cat|less)$/,
  'filter.lfs.clean': /^git-lfs clean -- %f$/,
  'filter.lfs.smudge': /^git-lfs smudge -- %f$/,
  'filter.lfs.process': /^git-lfs filter-process$/,
};

function isRisky(key: string, value: string): boolean {
  // Only the subsection in the middle is case-sensitive.
  const name = key.toLowerCase();
  if (name.startsWith('alias.')) return value.trimStart().startsWith('!');
  if (/^submodule\..+\.update$/.test(name)) return value.trimStart().startsWith('!');
  if (name.startsWith('protocol.')) return !/^(?:never|user)$/.test(value);
  return risky.test(name) && harmless[name]?.test(value) !== true;
}

const fileNames = ['config', 'config.worktree'];
const maxKnown = 500;
const known = new Map<
  string,
  { readonly stamp: string; readonly found: RiskySettings | undefined }
>();

/**
 * Settings files with risky settings, in the order of the folders. Paths are relative to `root`. A file is reread only
 * if it changed.
 */
export async function findRiskySettings(
  root: string,
  gitFolders: readonly string[],
): Promise<RiskySettings[]> {
  const files = gitFolders.flatMap((folder) => fileNames.map((name) => join(folder, name)));
  const found: RiskySettings[] = [];
  for (const file of files) {
    const settings = await lookInto(root, file);
    if (settings !== undefined) found.push(settings);
  }
  return found;
}

async function lookInto(root: string, file: string): Promise<RiskySettings | undefined> {
  const path = join(root, file);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const stamp = [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ');
  const before = known.get(path);
  if (before?.stamp === stamp) return before.found;
  const found = stat.isSymbolicLink()
    ? { file, isLink: true, keys: [], rest: '' }
    : await judgeFile(path, file);
  known.delete(path);
  known.set(path, { stamp, found });
  const [oldest] = known.keys();
  if (known.size > maxKnown && oldest !== undefined) known.delete(oldest);
  return found;
}

async function judgeFile(path: string, file: string): Promise<RiskySettings | undefined> {
  const text = readRegular(path);
  const settings = text === undefined ? undefined : await parseSettings(text);
  if (settings === undefined) return { file, isLink: false, keys: [], rest: '' };
  const keys = settings.filter(({ key, value }) => isRisky(key, value ?? 'true'));
  if (keys.length === 0) return undefined;
  // A required filter without its program would make every command fail.
  const filters = new Set(keys.map(({ key }) => /^filter\.(.+)\.\w+$/i.exec(key)?.[1]));
  const isLeft = ({ key }: Setting): boolean =>
    !filters.has(/^filter\.(.+)\.required$/i.exec(key)?.[1] ?? '');
  const rest = settings
    .filter((setting) => !keys.includes(setting) && isLeft(setting))
    .map(renderSetting);
  const names = [...new Set(keys.map(({ key }) => key))].toSorted();
  return { file, isLink: false, keys: names, rest: rest.join('') };
}

/** Undefined if it is not a regular file, or too large. */
function readRegular(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= maxSettingsBytes ? readFileSync(fd, 'utf8') : undefined;
  } finally {
    closeSync(fd);
  }
}

/** What git itself reads in the text, without following includes. Undefined when it cannot read it. */
async function parseSettings(text: string): Promise<Setting[] | undefined> {
  const args = ['config', '--file', '-', '--list', '--null', '--no-includes'];
  // No surrounding repository: only the text counts.
  const options = { cwd: '/', env: lonelyEnvironment(), maxBuffer: 8 * maxSettingsBytes };
  try {
    const { stdout } = await execute('git', args, { ...options, input: text });
    return stdout.split('\0').slice(0, -1).map(toSetting);
  } catch {
    return undefined;
  }
}

/** Writes the settings files without risky entries into `folder`. Returns them by the workspace path they replace. */
export function writeSafeSettings(
  folder: string,
  found: readonly RiskySettings[],
): ReadonlyMap<string, string> {
  return new Map(
    found.map(({ file, rest }) => {
      const path = join(folder, createHash('sha256').update(rest).digest('hex'));
      if (!existsSync(path)) {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        // Atomic: another command may be about to show it.
        const temporary = `${path}.${process.pid}`;
        writeFileSync(temporary, rest, { mode: 0o600 });
        renameSync(temporary, path);
      }
      return [file, path];
    }),
  );
}

/** One line for people: what was found, and where. */
export const renderRisky = ({ file, keys }: RiskySettings): string =>
  keys.length === 0 ? `${file} is not a readable settings file` : `${keys.join(', ')} (${file})`;
