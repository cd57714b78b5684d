import { defineCommand } from '../command.ts';
import { steer } from '../steer.ts';

/** `agent resume`: continues a paused run. */
export const command = defineCommand({
  example: 'agent resume brave-otter-4f2a',
  run: (invocation) => steer(invocation, 'resume', 'continues'),
});
