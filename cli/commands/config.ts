import { describeSettings, readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText, renderTable } from '../render/output.ts';
import { parseFolder, textOf } from '../run-options.ts';

/** `agent config`: every setting with its value and where it came from; secrets only as set or not set. */
export async function printConfig({ flags }: Invocation): Promise<number> {
  const directory = textOf(flags, 'directory');
  const settings = readSettings(
    directory === undefined ? {} : { flags: { workspace: parseFolder(directory) } },
  );
  const rows = describeSettings(settings);
  if (flags['json'] === true) {
    printJson({ settings: rows, notices: settings.notices });
    return 0;
  }
  printText(
    renderTable(
      ['VARIABLE', 'VALUE', 'FROM', 'MEANING'],
      rows.map((row) => [row.name, stripControls(row.value), row.origin, row.meaning]),
    ),
  );
  for (const notice of settings.notices) printProgress(`Note: ${stripControls(notice)}`);
  return 0;
}
