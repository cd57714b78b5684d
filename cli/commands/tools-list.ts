import { defineCommand } from '../command.ts';
import { runProject } from '../../client/child.ts';
import { stripControls } from '../clean.ts';
import { CliError } from '../errors.ts';
import { printJson, printText } from '../render/output.ts';
import { renderTable } from '../render/table.ts';

interface ListedTool {
  readonly name: string;
  readonly description: string;
}

/** `agent tools list`: the tools a model may call, according to the worker. */
export const command = defineCommand({
  example: 'agent tools list',
  async run({ json }) {
    const { code, stdout, stderr } = await runProject('workers/invoke.ts', ['--list']);
    if (code !== 0) {
      throw new CliError(`The tools cannot be listed: ${stripControls(stderr).trim()}`, code ?? 1);
    }
    const tools = JSON.parse(stdout) as readonly ListedTool[];
    if (json) printJson(tools);
    else {
      const rows = tools.map(({ name, description }) => [name, description.split('\n')[0] ?? '']);
      printText(renderTable({ head: ['TOOL', 'WHAT IT DOES'], rows }));
    }
    return 0;
  },
});
