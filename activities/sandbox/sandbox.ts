import { existsSync, lstatSync, statSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { home } from './bubblewrap.ts';
import type { Sandbox, SandboxFiles } from './bubblewrap.ts';
import { checkConfinement } from './canaries.ts';
import { openControlGroups } from './control-groups.ts';
import { toSeccompFilter } from './seccomp.ts';
import { execute } from './execute.ts';

export { toBubblewrapArguments } from './bubblewrap.ts';
export type { Sandbox } from './bubblewrap.ts';

/** From the host's `/etc`: what the loader, libc and Debian's program links need, as of the worker's start. */
const copied = ['ld.so.cache', 'localtime', 'nsswitch.conf', 'alternatives'];

/** Writes the files a sandbox shows into `folder`. */
async function writeSandboxFiles(folder: string): Promise<SandboxFiles> {
  const etc = join(folder, 'etc');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Mount point for the host's certificates.
  await mkdir(join(etc, 'ssl/certs'), { recursive: true, mode: 0o700 });
  const write = async (name: string, content: string | Buffer): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  };
  for (const name of copied) await copyFresh(join('/etc', name), join(etc, name));
  const users = `agent:x:1000:1000:agent:${home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n`;
  await write('etc/passwd', users);
  await write('etc/group', 'agent:x:1000:\nnogroup:x:65534:\n');
  // Without localhost, some test runners cannot resolve their own address.
  await write('etc/hosts', '127.0.0.1 localhost sandbox\n::1 localhost\n');
  await write(
    'etc/agent-gitconfig',
    '[user]\n\tname = dev-agent\n\temail = dev-agent@localhost\n[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n',
  );
  const filter = toSeccompFilter(process.arch);
  return {
    etc,
    gitSettings: join(folder, 'git-settings'),
    gitFolders: join(folder, 'git-folders'),
    empty: await write('empty', ''),
    seccomp: filter === undefined ? undefined : await write('seccomp.bpf', filter),
  };
}

/** Makes the copy as new as its source. */
async function copyFresh(from: string, to: string): Promise<void> {
  const source = statSync(from, { throwIfNoEntry: false });
  const copy = lstatSync(to, { throwIfNoEntry: false });
  if (source === undefined || (copy !== undefined && copy.mtimeMs >= source.mtimeMs)) return;
  const isFolder = source.isDirectory();
  try {
    // Links inside a folder lead to programs and stay links; a file that is itself a link would lead nowhere in there.
    await cp(from, to, { recursive: true, dereference: !isFolder, verbatimSymlinks: isFolder });
  } catch {
    // Another of our processes is copying too. If something is missing in the end, the canaries or the command will
    // tell.
  }
}

const program = '/usr/bin/bwrap';
const fix =
  'Install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or set AGENT_SANDBOX=none to run commands unconfined.';

const unavailable = (reason: string): Sandbox => ({ kind: 'unavailable', reason, fix });

const probed = new Map<string, Promise<Sandbox>>();

/**
 * Finds out whether sandboxes work here by running one, once per process and folder. `choice` is the operator's
 * AGENT_SANDBOX; `folder` holds the files sandboxes show.
 */
export function probeSandbox(choice: 'auto' | 'none', folder: string): Promise<Sandbox> {
  if (choice === 'none') return Promise.resolve({ kind: 'none' });
  const known = probed.get(folder) ?? probe(folder);
  probed.set(folder, known);
  return known;
}

async function probe(folder: string): Promise<Sandbox> {
  if (process.platform !== 'linux')
    return unavailable(`Sandboxing is not supported on ${process.platform} yet.`);
  if (!existsSync(program)) return unavailable(`bubblewrap is not installed (${program}).`);
  try {
    const files = await writeSandboxFiles(folder);
    const { stdout } = await execute(program, ['--version'], { env: {} });
    const version = stdout.trim().replace('bubblewrap ', '');
    const groups = openControlGroups();
    const toSandbox = (options: readonly string[]) =>
      ({
        kind: 'bubblewrap',
        version,
        program,
        files: { ...files, options, controlGroups: groups },
      }) as const;
    const problem = await checkConfinement(toSandbox(['--disable-userns']), folder);
    if (problem === undefined) return toSandbox(['--disable-userns']);
    // Older ones lack the option, and AppArmor may refuse it; then the filter alone forbids namespaces inside.
    const again =
      files.seccomp === undefined ? problem : await checkConfinement(toSandbox([]), folder);
    return again === undefined
      ? toSandbox([])
      : unavailable(`bubblewrap does not work here: ${again}`);
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const [reason = ''] = (stderr?.trim() || message).split('\n');
    return unavailable(`bubblewrap does not work here: ${reason}`);
  }
}
