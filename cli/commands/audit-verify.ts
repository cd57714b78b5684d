import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readSigningKey, toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import type { Finding } from '../../audit/verify/verify.ts';
import { readSettings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { usageError } from '../errors.ts';
import { printJson, printText } from '../render/output.ts';
import { parseRun, toUnknownRun } from '../../client/connect.ts';
import { plural } from '../render/render.ts';
import { renderClock } from '../render/clock.ts';

/** `agent audit verify`: recomputes every hash of the record. Exit 1 if something is not as it was written. */
export const command = defineCommand({
  example: 'agent audit verify',
  async run({ args, json }) {
    if (args[0] !== undefined && /[./]/.test(args[0])) return await verifyFile(args[0], json);
    const settings = readSettings();
    const { root } = settings.folders;
    const run = args[0] === undefined ? undefined : parseRun(args[0]);
    if (run !== undefined && !existsSync(toRunLog(root, run))) {
      throw await toUnknownRun(settings, run);
    }
    const { files, records, findings, notes } = await verifyState(root, { run });
    const sound = findings.length === 0;
    if (json) printJson({ ok: sound, files, records, findings, notes });
    else {
      for (const note of notes) printText(toText('·', note));
      for (const finding of findings) printText(toText('✗', finding));
      const looked = `${plural(records, 'record')} in ${plural(files, 'file')} of ${root}`;
      printText(
        sound ? `✓ ${looked}: unchanged.` : `${looked}: ${plural(findings.length, 'finding')}.`,
      );
    }
    return sound ? 0 : 1;
  },
});

const toText = (mark: string, { file, line, what }: Finding): string =>
  stripControls(`${mark} ${line === undefined ? file : `${file}:${line}`}: ${what}`);

/** An export is self-contained: no state folder, no server. */
async function verifyFile(file: string, json: boolean): Promise<number> {
  if (!existsSync(file)) throw usageError(`There is no file ${file}. Make one: agent audit export`);
  const { verifyExport } = await import('../../audit/export/import.ts');
  const { manifest, key, findings } = await verifyExport(file, tmpdir());
  const sound = findings.length === 0;
  const own = readSigningKey(toKeyFile())?.id === key;
  if (json) {
    printJson({ ok: sound, file, run: manifest?.run, key, ownKey: own, findings });
    return sound ? 0 : 1;
  }
  for (const finding of findings) printText(toText('✗', finding));
  if (!sound) printText(`${file}: ${plural(findings.length, 'finding')}.`);
  else {
    const whose = own
      ? 'your key'
      : `key ${key}, which is not yours: ask its owner for this number`;
    printText(
      `✓ ${file} is unchanged since its export: run ${manifest?.run}, ${renderClock(manifest?.created ?? '')}, signed by ${whose}.`,
    );
  }
  return sound ? 0 : 1;
}
