import { test } from 'node:test';
import { startAgent } from '../setup/agent.ts';
import { scenarios, toOptions } from './scenarios.ts';

for (const scenario of scenarios) {
  const { name, script, input, drive, check } = scenario;
  test(name, async (context) => {
    const agent = await startAgent(script, toOptions(scenario));
    context.after(() => agent.stop());
    const handle = await agent.start(name, input);
    await drive?.(agent, handle);
    await check(await handle.result(), agent, handle);
  });
}
