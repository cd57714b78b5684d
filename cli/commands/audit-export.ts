import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { exportRun } from '../../audit/export/export.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { PolicyError, readPolicyBundle } from '../../config/policies.ts';
import type { PolicyBundle } from '../../config/policies.ts';
import { readVersion } from '../../config/version.ts';
import { defineCommand } from '../command.ts';
import { runProject } from '../../client/child.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { parseRun, toUnknownRun } from '../../client/connect.ts';
import { plural } from '../render/render.ts';

/** `agent audit export`: writes a run's log, audit lines, blobs, policy and tools to one signed file. */
export const command = defineCommand({
  options: { output: { value: 'file', short: 'o', help: 'default: <run>.agent-export.tgz' } },
  example: `agent audit export brave-otter-4f2a`,
  async run({ args, options, json }) {
    const settings = readSettings();
    const { root } = settings.folders;
    const run = parseRun(args[0]);
    if (!existsSync(toRunLog(root, run))) throw await toUnknownRun(settings, run);
    const out = resolve(options.output ?? `${run}.agent-export.tgz`);
    const [policy, tools] = await Promise.all([readPolicy(settings), readTools()]);
    const { manifest, bytes, key } = await exportRun({
      root,
      run,
      out,
      versions: { agent: readVersion(), node: process.versions.node },
      policy,
      tools,
    });
    if (json) printJson({ run, file: out, bytes, key, manifest });
    else {
      printText(
        `${out}: ${plural(manifest.files.length, 'file')}, ${plural(bytes, 'byte')}, signed by key ${key}.`,
      );
      printProgress(`Check it anywhere: agent audit verify ${out}`);
    }
    return 0;
  },
});

/** An invalid policy must not prevent exporting a run's record. */
async function readPolicy({
  policiesDir: folder,
  policyPreset: preset,
  always,
}: Settings): Promise<PolicyBundle | undefined> {
  try {
    return await readPolicyBundle(folder, { preset, always });
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    printProgress(`The policy in ${folder} is left out: see agent policies validate`);
    return undefined;
  }
}

async function readTools(): Promise<string | undefined> {
  const { code, stdout } = await runProject('workers/invoke.ts', ['--list']);
  if (code === 0) return stdout;
  printProgress('The tools are left out, they cannot be listed: see agent tools list');
  return undefined;
}
