import { defineCommand } from '../command.ts';
import { steer } from '../steer.ts';

/** `agent pause`: holds the run after the current activity. */
export const command = defineCommand({
  example: 'agent pause brave-otter-4f2a',
  run: (invocation) => steer(invocation, 'pause', 'will pause after the current action'),
});
