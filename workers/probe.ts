/**
 * Process entry: tests the sandbox by running one. Prints `{kind, version?, filter?, processes?, memory?, reason?,
 * fix?}` and leaves nothing behind: `agent doctor` changes nothing.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxFiles } from '../activities/sandbox/bubblewrap.ts';
import { probeSandbox } from '../activities/sandbox/sandbox.ts';

/** What limits a command's processes. The kernel's per-user limit does not apply to root. */
const boundOf = ({ controlGroups }: SandboxFiles): string => {
  if (controlGroups?.pids !== undefined) return 'control-group';
  return process.getuid?.() === 0 ? 'watched' : 'kernel';
};

const choice = process.argv[2] === 'none' ? 'none' : 'auto';
const folder = await mkdtemp(join(tmpdir(), 'dev-agent-probe-'));
try {
  const sandbox = await probeSandbox(choice, folder);
  const shown =
    sandbox.kind === 'bubblewrap'
      ? {
          kind: sandbox.kind,
          version: sandbox.version,
          filter: sandbox.files.seccomp !== undefined,
          processes: boundOf(sandbox.files),
          memory: sandbox.files.controlGroups?.memory === undefined ? 'watched' : 'control-group',
        }
      : sandbox;
  process.stdout.write(`${JSON.stringify(shown)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
