import type { Action } from '../../policies/action.ts';
import { createChangeJudge } from '../../policies/paths/changes.ts';
import type { JudgeChange } from '../../policies/paths/changes.ts';
import { liftPath } from '../../policies/grants/grants.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Authorize } from '../files/files.ts';
import { PathRefused } from '../files/walk.ts';
import { guardOf } from '../sandbox/guard.ts';
import { lookAtPlaces } from '../sandbox/sights.ts';
import { dependencyFolders } from '../snapshots/coverage.ts';
import { toShortDiff } from './details.ts';
import { executors } from './executors.ts';
import { Rejudged, failed } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { ToolContext } from './tool-context.ts';

/** Knows symlinks to protected names and folders git takes hooks from. */
const createJudge = async (policy: Policy, workspace: string): Promise<JudgeChange> =>
  createChangeJudge(policy, {
    ...(await lookAtPlaces(workspace, guardOf(policy))),
    fetched: new Set(dependencyFolders),
  });

const isFileChange = ({ access }: Action): boolean =>
  access.section === 'paths' && access.op !== 'read' && access.op !== 'list';

/** Executes an action the policy allows. @throws Rejudged, and anything that is not the tool's own failure. */
export async function carryOut(action: Action, context: ToolContext): Promise<Outcome> {
  const { tool, workspace } = action;
  const { policy, approved } = context;
  const execute = executors.get(tool);
  if (execute === undefined) return failed(`There is no tool ${tool}.`);
  const judgeChange = isFileChange(action) ? await createJudge(policy, workspace) : undefined;
  const authorize: Authorize = (operation, path) => {
    const isChange = operation === 'write' || operation === 'delete';
    const elsewhere = isChange && judgeChange?.({ names: path.split('/'), operation });
    const found = decidePath(policy, operation, path);
    for (const each of elsewhere ? [found, elsewhere] : [found]) {
      const decision = liftPath(policy, { tool, workspace }, path, each);
      if (decision.verdict === 'deny' || (decision.verdict === 'ask' && !approved))
        throw new Rejudged(decision);
    }
  };
  const diff = toShortDiff(policy, context.tools, action);
  try {
    const outcome = await execute(action, { ...context, authorize });
    return outcome.changed.length === 0 ? outcome : { ...outcome, diff };
  } catch (error) {
    if (error instanceof PathRefused) return failed(error.message);
    throw error;
  }
}
