import { describeSettings, readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderTable } from '../render/table.ts';
import { folderOption } from '../values.ts';

/** `agent config`: every setting with its value and origin; secrets only as set or not set. */
export const command = defineCommand({
  options: { directory: folderOption },
  example: 'agent config',
  async run({ options, json }) {
    const settings = readSettings({ flags: { workspace: options.directory } });
    const rows = describeSettings(settings);
    if (json) {
      printJson({ settings: rows, notices: settings.notices });
      return 0;
    }
    printText(
      renderTable({
        head: ['VARIABLE', 'VALUE', 'FROM', 'MEANING'],
        rows: rows.map((row) => [row.name, stripControls(row.value), row.origin, row.meaning]),
        spare: ['FROM'],
      }),
    );
    for (const notice of settings.notices) printProgress(`Note: ${stripControls(notice)}`);
    return 0;
  },
});
