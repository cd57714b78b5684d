/**
 * Process entry: finds out, by running one, whether the sandbox works on this machine. Prints
 * `{kind, version?, filter?, processes?, reason?, fix?}` and leaves nothing behind: `agent doctor` only looks.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeSandbox } from '../activities/workspace/sandbox.ts';

/** What bounds the number of a command's processes. The kernel's limit per user does not hold for root. */
const boundOf = ({ controlGroups }: { readonly controlGroups?: string }): string => {
  if (controlGroups !== undefined) return 'control-group';
  return process.getuid?.() === 0 ? 'watched' : 'kernel';
};

const choice = process.argv[2] === 'none' ? 'none' : 'auto';
const folder = await mkdtemp(join(tmpdir(), 'dev-agent-probe-'));
try {
  const sandbox = await probeSandbox(choice, folder);
  const shown =
    sandbox.kind === 'bubblewrap'
      ? {
          ...{ kind: sandbox.kind, version: sandbox.version },
          ...{ filter: sandbox.files.seccomp !== undefined, processes: boundOf(sandbox.files) },
        }
      : sandbox;
  process.stdout.write(`${JSON.stringify(shown)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
