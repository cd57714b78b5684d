/**
 * Process entry: finds out, by running one, whether the sandbox works on this machine. Prints
 * `{kind, version?, reason?, fix?}` and leaves nothing behind: `agent doctor` only looks.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeSandbox } from '../activities/workspace/sandbox.ts';

const choice = process.argv[2] === 'none' ? 'none' : 'auto';
const folder = await mkdtemp(join(tmpdir(), 'dev-agent-probe-'));
try {
  const sandbox = await probeSandbox(choice, folder);
  const shown =
    sandbox.kind === 'bubblewrap' ? { kind: sandbox.kind, version: sandbox.version } : sandbox;
  process.stdout.write(`${JSON.stringify(shown)}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
