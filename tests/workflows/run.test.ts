import { test } from 'node:test';
import { startAgent } from '../setup/agent.ts';
import { scenarios, toInput, toOptions } from './scenarios.ts';

for (const scenario of scenarios) {
  const { name, script, drive, check } = scenario;
  test(name, async (context) => {
    const agent = await startAgent(script, toOptions(scenario));
    context.after(() => agent.stop());
    const handle = await agent.start(name, toInput(scenario, agent));
    await drive?.(agent, handle);
    await check(await handle.result(), agent, handle);
  });
}
