import type { LaneRequest } from '../../activities/contract/workspace.ts';

/** The step a lane is for. Before requests had it, lanes were named `<round>-<step>`. */
export const toLaneStep = ({
  lane,
  step = lane.slice(lane.indexOf('-') + 1),
}: LaneRequest): string => step;
