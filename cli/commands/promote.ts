import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { toSent } from '../../audit/record/keys/payload-codec.ts';
import type { Trail } from '../../audit/events/trail.ts';
import { plural } from '../render/render.ts';
import { toQueues } from '../../workflows/names.ts';
import type { PromoteResult } from '../../workflows/contract.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { CliError, usageError } from '../errors.ts';
import { readEventsSoFar } from '../../client/events/so-far.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { connectFor, parseRun, readUser, withClient } from '../../client/connect.ts';
import { readRedactor } from '../../client/secrets.ts';
import { toOrderedPromotion } from '../../client/signing.ts';
import { readStack } from '../../client/stack/file.ts';
import { readRunTrail } from '../../client/events/trail.ts';

/** `agent promote`: applies a staged run's change to its target folder, all or nothing. */
export const command = defineCommand({
  options: {
    commit: { help: 'and commit it, with the goal as message' },
    force: { help: 'even if the run did not end as done' },
  },
  example: `agent promote brave-otter-4f2a`,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    const trail = await readRunTrail(settings, run);
    const target = await requireEnded(settings, trail, options.force === true);
    const { input, base = '' } = trail;
    const client = await connectFor(settings, run, printProgress);
    const { queue, host } = readStack(settings) ?? settings;
    const queues = toQueues(queue, host);
    const announced = toSent(readRedactor(settings), {
      queues: { model: queues.model, workspace: input.queues.workspace },
      request: {
        run,
        target,
        base,
        tree: trail.tree ?? base,
        stage: input.workspace,
        goal: input.goal,
        by: readUser(),
        mode: options.commit === true ? ('commit' as const) : ('patch' as const),
      },
    });
    const ordered = await toOrderedPromotion(announced);
    const result = await withClient(client, () => client.promote(ordered, queues.run));
    if (result.state !== 'promoted') throw toRefusal(run, target, result);
    if (json) printJson({ run, target, ...result });
    else for (const line of renderPromoted(run, target, result)) printText(line);
    return 0;
  },
});

/** The target folder of a run's change. @throws CliError if it has none, or nothing to apply yet. */
async function requireEnded(
  settings: Settings,
  { input: { run, stagedFrom, workspace }, ended }: Trail,
  force: boolean,
): Promise<string> {
  if (stagedFrom === undefined) {
    throw usageError(
      `Run ${run} worked in ${workspace} itself: there is nothing to promote. To work on a copy: agent run --stage "goal"`,
    );
  }
  if (!ended) throw usageError(`Run ${run} is still running. Watch it: agent attach ${run}`);
  const finished = (await readEventsSoFar(settings, run)).at(-1);
  const status = finished?.type === 'run.finished' ? finished.status : 'failed';
  if (status === 'done' || force) return stagedFrom;
  throw usageError(
    `Run ${run} ended as ${status}. Review its changes first: agent diff ${run}. To apply them anyway: agent promote ${run} --force`,
  );
}

type Promoted = Extract<PromoteResult, { state: 'promoted' }>;

function renderPromoted(run: string, target: string, result: Promoted): string[] {
  const { again, changes, ignored = 0, commit } = result;
  if (again) return [`The changes of run ${run} are already in ${target}.`];
  const left =
    ignored === 0
      ? []
      : [
          `Left out: ${plural(ignored, 'file')} that git ignores. See them with: agent diff ${run} --ignored`,
        ];
  if (changes.length === 0) return [`There was nothing to apply to ${target}.`, ...left];
  const count = plural(changes.length, 'file');
  const as = commit === undefined ? '' : `, as commit ${commit.slice(0, 12)}`;
  return [
    `Applied to ${target}: ${count}${as}.`,
    ...changes.map((path) => `  ${toLine(path, 400)}`),
    ...left,
  ];
}

function toRefusal(
  run: string,
  target: string,
  result: Exclude<PromoteResult, Promoted>,
): CliError {
  switch (result.state) {
    case 'conflict':
      return new CliError(
        `${target} has changed since the run began, in the same places: ${toLine(result.paths.join(', '), 2_000)}. Nothing was applied. See what the run did: agent diff ${run}`,
        1,
      );
    case 'busy':
      return new CliError(
        `${target} is in use by run ${result.run}. Try again when it has ended.`,
        75,
      );
    case 'refused':
      return new CliError(`Nothing was applied to ${target}: ${result.reason}`, 1);
    case 'manual':
      return new CliError(`The policy leaves the changes of run ${run} for you to apply.`, 1);
  }
}
