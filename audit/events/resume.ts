import type { RunInput, RunStatus } from '../../workflows/contract.ts';

/** Longer goals are not repeated on a command line. */
const maxGoalLength = 1_000;

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The command for another run on what this one left in the workspace (for a staged run: in the folder, from scratch),
 * for a POSIX shell. Undefined if there is nothing to continue, or the goal is too long to type.
 */
export const toResume = (
  input: Pick<RunInput, 'goal' | 'workspace' | 'stagedFrom'> | undefined,
  status: RunStatus,
): string | undefined =>
  input === undefined || status === 'done' || input.goal.length > maxGoalLength
    ? undefined
    : `agent run ${toFolder(input)} ${quote(input.goal)}`;

const toFolder = ({ workspace, stagedFrom }: Pick<RunInput, 'workspace' | 'stagedFrom'>): string =>
  stagedFrom === undefined ? `-C ${quote(workspace)}` : `--stage -C ${quote(stagedFrom)}`;
