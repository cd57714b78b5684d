/** Everything that harms a run from outside of the agent's own code. */
import type { Fault } from '../fault.ts';
import { clockJump } from './clock-jump.ts';
import { diskFullState, diskFullWorkspace } from './disk-full.ts';
import { kills } from './kills.ts';
import { cutStream, toModelAway } from './model.ts';
import { sleep } from './sleep.ts';
import { twoWorkers, zombieChild } from './workers.ts';
import { workspaceDeleted } from './workspace-deleted.ts';

export const toOutside = ({ modelAwayMs }: { readonly modelAwayMs: number }): Fault[] => [
  ...kills,
  twoWorkers,
  zombieChild,
  diskFullState,
  diskFullWorkspace,
  workspaceDeleted,
  toModelAway(modelAwayMs),
  cutStream,
  sleep,
  clockJump,
];
