import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { defineCommand } from '../command.ts';
import { runProject } from '../../client/child.ts';
import { stripControls } from '../clean.ts';
import { usageError } from '../errors.ts';
import { printJson, printText } from '../render/output.ts';
import { runIdPattern } from '../../client/run-id.ts';

/** `agent replay`: replays recorded histories with the current workflow code. Exit 1 if one no longer fits. */
export const command = defineCommand({
  example: `agent replay brave-otter-4f2a`,
  async run({ args, json }) {
    const settings = readSettings();
    const files: string[] = [];
    for (const name of args) {
      const found = toFiles(settings.folders.root, name);
      if (found === undefined) {
        throw usageError(`"${name}" is neither a file nor a run with a log. All runs: agent list`);
      }
      if (found.length === 0) throw usageError(`No .json or .jsonl file is in ${name}.`);
      files.push(...found);
    }
    const { code, stdout, stderr } = await runProject('workers/replay.ts', [
      ...(json ? ['--json'] : []),
      ...files,
    ]);
    if (json) {
      const lines = stdout.split('\n').filter((line) => line !== '');
      printJson(lines.map((line) => JSON.parse(line) as unknown));
    } else printText(stripControls(stdout));
    process.stderr.write(stripControls(stderr));
    return code ?? 1;
  },
});

/** Histories by name: a file, every history in a folder, or a run's log. Undefined if none matches. */
function toFiles(root: string, name: string): string[] | undefined {
  const log = toRunLog(root, name);
  if (runIdPattern.test(name) && existsSync(log)) return [log];
  const found = statSync(name, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isDirectory()) return [name];
  return readdirSync(name)
    .filter((file) => /\.jsonl?$/.test(file))
    .toSorted()
    .map((file) => join(name, file));
}
