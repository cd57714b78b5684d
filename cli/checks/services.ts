import type { Settings } from '../../config/environment.ts';
import type { StackFile } from '../../config/stack.ts';
import { askModelServer } from '../../client/model-server.ts';
import { connectRunning, toCluster, withClient } from '../../client/connect.ts';
import { readStack } from '../../client/stack/file.ts';
import { stackStatus } from '../../client/stack/control.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

const maxNames = 5;

/** Checks that the model server is up and has the models a run would ask for. */
export async function checkModelServer(settings: Settings): Promise<Check[]> {
  const { baseUrl, apiKey } = settings;
  const server = await askModelServer(baseUrl, apiKey);
  if (server.kind === 'away') {
    return [
      fail(
        'model server',
        `${baseUrl}: ${server.reason}`,
        'Start it (LM Studio: lms server start), set OPENAI_BASE_URL, or use agent run --demo.',
      ),
    ];
  }
  if (server.kind === 'refused') {
    return [
      fail(
        'model server',
        `${baseUrl}: HTTP ${server.status}`,
        'Set OPENAI_API_KEY to a valid key.',
      ),
    ];
  }
  const up = ok('model server', `${baseUrl}, ${server.ms} ms`);
  const wanted = [...new Set([settings.model, settings.plannerModel, settings.reviewerModel])];
  if (server.models.length === 0) {
    return [up, warn('models', 'the server lists none', 'Load one there (LM Studio: lms load).')];
  }
  const shown = server.models.slice(0, maxNames).join(', ');
  const more = server.models.length > maxNames ? ', …' : '';
  return [
    up,
    ...wanted.map((model) =>
      server.models.includes(model)
        ? ok('model', model)
        : warn(
            'model',
            `${model} is not among ${shown}${more}`,
            'Set AGENT_MODEL or -m to one of them.',
          ),
    ),
  ];
}

/** Who can reach Temporal. */
export function checkDoor({ exposed }: Pick<StackFile, 'exposed'>): Check {
  if (exposed === undefined) return ok('door', 'closed: only you can reach Temporal');
  const fix = exposed.startsWith('AGENT_')
    ? 'Unset it, then: agent down && agent up'
    : 'Install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or make sure nobody else uses this machine.';
  return warn('door', `every user of this machine can reach Temporal: ${exposed}`, fix);
}

/** Checks Temporal and the local stack's processes; starts nothing. */
export async function checkTemporal(settings: Settings): Promise<Check[]> {
  const stack = readStack(settings);
  if (toCluster(settings) === undefined && stack === undefined) {
    return [ok('local stack', 'not running; the next command that needs it starts it')];
  }
  const checks: Check[] = [];
  if (toCluster(settings) === undefined && stack !== undefined) checks.push(checkDoor(stack));
  if (toCluster(settings) === undefined && stack !== undefined) {
    try {
      for (const part of (await stackStatus(stack)).parts) {
        const found = `${part.state}, pid ${part.pid}, ${part.restarts} restarts`;
        const remedy = `See ${part.log ?? settings.folders.logs}, or: agent down && agent up`;
        checks.push(part.state === 'up' ? ok(part.name, found) : fail(part.name, found, remedy));
      }
    } catch (error) {
      checks.push(fail('supervisor', (error as Error).message, 'agent down && agent up'));
    }
  }
  try {
    const client = await connectRunning(settings);
    if (client !== undefined) {
      const open = await withClient(client, async () =>
        (await client.list(200)).filter((row) => row.open),
      );
      checks.push(ok('Temporal', `${client.address} answers; ${open.length} open runs`));
    }
  } catch (error) {
    checks.push(fail('Temporal', (error as Error).message, 'agent down && agent up'));
  }
  return checks;
}
