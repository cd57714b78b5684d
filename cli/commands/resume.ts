import { defineCommand } from '../command.ts';
import { steer } from '../steer.ts';

/** `agent resume`: a paused run goes on. */
export const command = defineCommand({
  example: 'agent resume brave-otter-4f2a',
  run: (invocation) => steer(invocation, 'resume', 'goes on'),
});
