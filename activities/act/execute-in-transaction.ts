/** Runs a changing action as a transaction on the workspace. */
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Action } from '../../policies/action.ts';
import type { ActResult } from '../contract/act.ts';
import { PathRefused, toNames } from '../files/walk.ts';
import { GitCheckFailed } from '../sandbox/git/find.ts';
import { isRedirected, toAuditLine } from './call.ts';
import type { AuthorizedCall } from './call.ts';
import type { CallIdentity } from './call-notes.ts';
import { carryOut } from './carry-out.ts';
import { createStopwatch, toExecuted } from './executed.ts';
import type { Executed } from './executed.ts';
import { Rejudged, maxLeft, renderLeft, toSettled } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { isWhole, renderEnded } from './protected-change.ts';
import { storeResult } from './result.ts';
import { createScreen } from './screen.ts';
import type { Screen } from './screen.ts';
import { createToolContext } from './tool-context.ts';
import type { Attempt } from './roll-back.ts';
import type { Perform } from './transact.ts';
import { createCheck } from './versions.ts';

export async function executeInTransaction(
  call: AuthorizedCall,
  identity: CallIdentity,
): Promise<Executed> {
  const { dependencies, order, action, answers, decision } = call;
  const { audit, transactions } = dependencies;
  const { settled } = answers;
  const elapsed = createStopwatch();
  let left: readonly string[] = [];
  try {
    return await transactions.transact<Outcome, ActResult>(
      {
        ...identity,
        signal: order.signal,
        tree: order.tree,
        settled: settled?.what,
        decision,
        screen: createCommandScreen(call),
        answer: answers.change,
        isRolledBack: (error) => error instanceof Rejudged || error instanceof GitCheckFailed,
        touches: isCommand(action) ? undefined : toTouched(action),
        rolledBack: (paths) => (left = paths),
        async begin({ again, ...attempt }: Attempt) {
          const line = toAuditLine(call);
          if (again) await audit.append({ kind: 'rollback', ...line, ...attempt });
          left = attempt.left ?? [];
          // Synced before the effect: whatever happens next, the log shows the intent.
          if (settled === undefined) await audit.append({ kind: 'intent', ...line });
          failpoint('intent.after');
        },
      },
      (...given) => perform(call, ...given),
      async (outcome, ended) => {
        const told = {
          ...outcome,
          ok: outcome.ok && isWhole(ended),
          text: renderLeft(left) + outcome.text + renderEnded(ended, answers.change),
        };
        const ms = ended.ms ?? elapsed();
        const { text: _, ...result } = await storeResult(call, told, { decision, ms }, ended.post);
        return {
          ...result,
          tree: ended.post,
          left: left.length === 0 ? undefined : left.slice(0, maxLeft),
        };
      },
    );
  } catch (error) {
    const told = renderLeft(left).trim();
    return toExecuted(error, call, { ms: elapsed(), isReverted: true, left: told });
  }
}

/** Rolls back an attempt interrupted by a crash that will not be repeated. */
export async function rollback(call: AuthorizedCall, identity: CallIdentity): Promise<void> {
  const { audit, transactions } = call.dependencies;
  await transactions.rollback(
    { ...identity, screen: createCommandScreen(call) },
    async ({ cut, left }) => {
      await audit.append({ kind: 'rollback', ...toAuditLine(call), cut, left });
    },
  );
}

/** The call itself, between its two snapshots. */
async function perform(
  call: AuthorizedCall,
  ...[signal, lease, { sights }]: Parameters<Perform<Outcome>>
): ReturnType<Perform<Outcome>> {
  const { dependencies, order, action, answers } = call;
  if (answers.settled !== undefined) return { outcome: toSettled(answers.settled) };
  const locked = sights?.uncovered;
  const outcome = await carryOut(action, {
    ...createToolContext(call, signal),
    lease,
    locked: locked === undefined ? undefined : (path: string) => locked.includes(path),
    check: isRedirected(call) ? undefined : await createCheck(dependencies.blobs, order),
  });
  failpoint('exit.after');
  return isCommand(action) ? { outcome } : { outcome, changed: outcome.changed };
}

const isCommand = ({ access }: Action): boolean => access.section === 'commands';

/** A command may change anything; a file tool says what it changes. */
const createCommandScreen = ({
  dependencies: { sandbox },
  action,
  policy,
  base: { digest },
}: AuthorizedCall): Screen | undefined =>
  isCommand(action)
    ? createScreen({ policy, action, digest, sandbox, hasSnapshots: true })
    : undefined;

/** The file a file tool is about to change, as far as can be told without looking. */
function toTouched({ access, workspace }: Action): string[] {
  if (access.section !== 'paths') return [];
  try {
    return [toNames(workspace, access.path).join('/')];
  } catch (error) {
    if (error instanceof PathRefused) return [];
    throw error;
  }
}
