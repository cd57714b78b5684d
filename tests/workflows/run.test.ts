import { test } from 'node:test';
import { startAgent } from '../setup/agent.ts';
import { scenarios } from './scenarios.ts';

for (const { name, script, input, files, drive, check } of scenarios) {
  test(name, async (context) => {
    const agent = await startAgent(script, files === undefined ? {} : { files });
    context.after(() => agent.stop());
    const handle = await agent.start(name, input);
    await drive?.(agent, handle);
    await check(await handle.result(), agent, handle);
  });
}
