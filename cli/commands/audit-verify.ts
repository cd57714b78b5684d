import { existsSync } from 'node:fs';
import { verifyState } from '../../audit/verify.ts';
import type { Finding } from '../../audit/verify.ts';
import { readSettings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import type { Invocation } from '../arguments.ts';
import { stripControls } from '../clean.ts';
import { printJson, printText } from '../output.ts';
import { parseRun, toUnknownRun } from '../session.ts';

/** `agent audit verify`: recomputes every hash of the record. Exit 1 when something is not as it was written. */
export async function verifyAudit({ args, flags }: Invocation): Promise<number> {
  const settings = readSettings();
  const { root } = settings.folders;
  const run = args[0] === undefined ? undefined : parseRun(args[0]);
  if (run !== undefined && !existsSync(toRunLog(root, run))) {
    throw await toUnknownRun(settings, run);
  }
  const { files, records, findings, notes } = await verifyState(root, { run });
  const sound = findings.length === 0;
  if (flags['json'] === true) printJson({ ok: sound, files, records, findings, notes });
  else {
    for (const note of notes) printText(toText('·', note));
    for (const finding of findings) printText(toText('✗', finding));
    const looked = `${records} records in ${files} files of ${root}`;
    printText(
      sound ? `✓ ${looked} are as they were written.` : `${looked}: ${findings.length} findings.`,
    );
  }
  return sound ? 0 : 1;
}

const toText = (mark: string, { file, line, what }: Finding): string =>
  stripControls(`${mark} ${line === undefined ? file : `${file}:${line}`}: ${what}`);
