/**
 * Keeps histories for the replay tests: `node tests/replay/record.ts [name…]` runs scenarios and writes each history that is not
 * there yet to `tests/histories/<name>[.n].json`. Never overwrites: a recorded history must always replay.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import type { TestAgent, RunHandle } from '../setup/agent.ts';
import { startAgent } from '../setup/agent.ts';
import { startTemporal } from '../setup/temporal.ts';
import { scenarios, toInput, toOptions } from '../workflows/scenarios.ts';

const folder = new URL('../histories/', import.meta.url);

async function keep(name: string, agent: TestAgent, { workflowId }: RunHandle): Promise<void> {
  const { workflow } = agent.client;
  const first = (await workflow.getHandle(workflowId).fetchHistory()).events?.[0];
  let runId = first?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
  for (let part = 1; runId; part++) {
    const { events = [] } = await workflow.getHandle(workflowId, runId).fetchHistory();
    const file = new URL(`${name}${part === 1 ? '' : `.${part}`}.json`, folder);
    if (!existsSync(file))
      await writeFile(file, `${JSON.stringify({ events: toHistoryJson(events ?? []) })}\n`);
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
}

const wanted = process.argv.slice(2);
const temporal = await startTemporal();
process.env['TEMPORAL_TEST_ADDRESS'] = temporal.address;
try {
  for (const scenario of scenarios) {
    const { name, script, drive, check } = scenario;
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    if (existsSync(new URL(`${name}.json`, folder))) continue;
    const agent = await startAgent(script, toOptions(scenario));
    try {
      const handle = await agent.start(name, { run: name, ...toInput(scenario, agent) });
      await drive?.(agent, handle);
      await check(await handle.result(), agent, handle);
      await keep(name, agent, handle);
      console.log(`recorded ${name}`);
    } finally {
      await agent.stop();
    }
  }
} finally {
  await temporal.stop();
}
