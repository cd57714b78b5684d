import { createBlobStore } from '../../audit/blobs.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import type { ApprovalAnswer, ApprovalRequest } from '../../workflows/contract.ts';
import type { Invocation } from '../arguments.ts';
import { toLine } from '../clean.ts';
import type { RunClient } from '../client.ts';
import { readDetails } from '../details.ts';
import { editArgs, parseArgs } from '../edit.ts';
import { CliError, usageError } from '../errors.ts';
import { printJson, printText } from '../output.ts';
import { textOf } from '../run-options.ts';
import { readRedactor } from '../secrets.ts';
import { connectFor, parseRun, readUser, toUnknownRun, withClient } from '../session.ts';
import { toSigned } from '../signing.ts';

const viewWithinMs = 15_000;

/** `agent approve`: allows exactly the action that was shown. */
export const approveAction = (invocation: Invocation): Promise<number> =>
  answer(invocation, 'approve');

/** `agent deny`: refuses it; the model reads the reason and looks for another way. */
export const denyAction = (invocation: Invocation): Promise<number> => answer(invocation, 'deny');

async function answer(
  { args, flags }: Invocation,
  word: ApprovalAnswer['answer'],
): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const reason = textOf(flags, 'reason');
  if (flags['edit'] === true && flags['args'] !== undefined)
    throw usageError('Give either --edit or --args, not both.');
  const always = flags['always'] === true;
  if (always && (flags['edit'] === true || flags['args'] !== undefined))
    throw usageError('--always is about what the model asked for: give no --edit or --args.');
  if (flags['yes'] === true && !always) throw usageError('--yes goes with --always.');
  const client = await connectFor(settings, run);
  return await withClient(client, async () => {
    const described = await client.describe(run);
    if (described === undefined) throw await toUnknownRun(settings, run, client);
    const request = await findRequest(client, run, args[1]);
    if (always) {
      const { approveAlways } = await import('../always.ts');
      return await approveAlways({
        ...{ settings, client, run, request, workspace: described.workspace },
        ...{ json: flags['json'] === true, yes: flags['yes'] === true },
        ...(reason === undefined ? {} : { reason }),
      });
    }
    const edited = await readEdited(settings, request, flags);
    const answered = await toSigned(run, {
      ...{ request: request.id, digest: request.digest, answer: word, by: readUser() },
      ...(reason === undefined ? {} : { reason }),
      ...(edited === undefined ? {} : { edited }),
    });
    await client.answer(run, answered);
    if (flags['json'] === true) printJson({ run, request: request.id, answer: word });
    else {
      const done = word === 'approve' ? 'Approved' : 'Denied';
      const how = edited === undefined ? '' : ', with your arguments';
      printText(`${done} ${request.id}${how}: ${request.tool} ${toLine(request.preview, 160)}`);
    }
    return 0;
  });
}

/** Stores the arguments a person wrote, if they did. @throws CliError when there is nothing to edit. */
async function readEdited(
  settings: Settings,
  request: ApprovalRequest,
  flags: Invocation['flags'],
): Promise<string | undefined> {
  const given = textOf(flags, 'args');
  if (given === undefined && flags['edit'] !== true) return undefined;
  if (request.kind !== undefined)
    throw usageError(
      `${request.id} asks what became of something: there are no arguments to edit.`,
    );
  const details = await readDetails(settings, request.details);
  if (details === undefined)
    throw usageError(
      `The arguments of ${request.id} are not in ${settings.folders.root}. Answer where the run’s state folder is.`,
    );
  const edited = given === undefined ? editArgs(details) : parseArgs(details.tool, given);
  return edited === undefined
    ? undefined
    : await createBlobStore(settings.folders.blobs, readRedactor(settings)).putJson(edited);
}

/** What is waiting, as the run itself says it: the answer is bound to its digest. */
async function findRequest(
  client: RunClient,
  run: string,
  wanted: string | undefined,
): Promise<ApprovalRequest> {
  const view = await client.view(run, viewWithinMs);
  if (view === undefined) {
    throw new CliError(
      `Run ${run} cannot be asked what it waits for: no worker answers. See: agent ps`,
      75,
    );
  }
  if (view.now.phase === 'awaiting-input') {
    throw usageError(
      `Run ${run} waits for an answer in words: ${toLine(view.now.question, 200)}\nAnswer with: agent say ${run} "…"`,
    );
  }
  if (view.now.phase !== 'awaiting-approval' && (view.waiting ?? []).length === 0) {
    throw usageError(`No approval is waiting in run ${run}; it is ${view.now.phase}.`);
  }
  const waiting =
    view.waiting ?? (view.now.phase === 'awaiting-approval' ? [view.now.request] : []);
  const ids = waiting.map(({ id }) => id).join(', ');
  const found = wanted === undefined ? waiting[0] : waiting.find(({ id }) => id === wanted);
  if (wanted === undefined && waiting.length > 1)
    throw usageError(
      `Several requests wait in run ${run}: ${ids}. Name one: agent approve ${run} ${ids.split(',')[0] ?? ''}`,
    );
  if (found === undefined)
    throw usageError(`Request ${wanted ?? ''} is not waiting in run ${run}; waiting: ${ids}.`);
  return found;
}
