import { readSettings } from '../../config/environment.ts';
import { toWebUi } from '../../config/stack.ts';
import type { StackStatus } from '../../config/stack.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { renderTable } from '../render/table.ts';
import { renderAge } from '../render/render.ts';
import { readStack } from '../../client/stack/file.ts';
import { stackStatus } from '../../client/stack/control.ts';

/** `agent ps`: the local stack's parts. Exit 1 if one is not up. */
export const command = defineCommand({
  example: 'agent ps',
  async run({ json }) {
    const settings = readSettings();
    const stack = readStack(settings);
    if (stack === undefined) {
      if (json) printJson({ parts: [] });
      else printText('The local stack is not running. Start it with: agent up');
      return 0;
    }
    const status = await stackStatus(stack);
    if (json) {
      const { temporal, namespace, version, exposed } = status.stack;
      const webUi = toWebUi(status.stack);
      printJson({ temporal, namespace, webUi, version, exposed, parts: status.parts });
    } else printText(renderParts(status, new Date()));
    return status.parts.every(({ state }) => state === 'up') ? 0 : 1;
  },
});

export function renderParts({ stack, parts }: StackStatus, now: Date): string {
  const table = renderTable({
    head: ['PART', 'STATE', 'PID', 'PORT', 'MEMORY', 'FOR', 'RESTARTS', 'VERSION'],
    rows: parts.map((part) => [
      part.name,
      part.state,
      String(part.pid || '-'),
      String(part.port ?? '-'),
      part.memoryBytes === undefined ? '-' : `${Math.round(part.memoryBytes / 1_048_576)} MiB`,
      renderAge(now.getTime() - Date.parse(part.since)),
      String(part.restarts),
      part.version ?? '-',
    ]),
    spare: ['RESTARTS', 'PORT', 'MEMORY', 'PID', 'FOR'],
  });
  const troubles = parts
    .filter(({ reason }) => reason !== undefined)
    .map(({ name, reason, log }) => `${name}: ${toLine(reason ?? '', 300)} (${log ?? 'no log'})\n`);
  const webUi = toWebUi(stack) ?? 'none here';
  return `${table}${troubles.join('')}\nTemporal ${stack.temporal}, namespace ${stack.namespace} · Web UI ${webUi}\n`;
}
