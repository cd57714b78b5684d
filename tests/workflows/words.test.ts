import { test } from 'node:test';
import { startAgent } from '../setup/agent.ts';
import { toInput, toOptions } from './scenarios.ts';
import { wordScenarios } from './word-scenarios.ts';

for (const scenario of wordScenarios) {
  const { name, script, drive, check } = scenario;
  test(name, async (context) => {
    const agent = await startAgent(script, toOptions(scenario));
    context.after(() => agent.stop());
    const handle = await agent.start(name, toInput(scenario, agent));
    await drive?.(agent, handle);
    await check(await handle.result(), agent, handle);
  });
}
