import type { LaneRequest } from '../../activities/contract/workspace.ts';

/** A worktree's step. Older requests lack it and name the worktree `<round>-<step>`. */
export const toLaneStep = ({
  lane,
  step = lane.slice(lane.indexOf('-') + 1),
}: LaneRequest): string => step;
