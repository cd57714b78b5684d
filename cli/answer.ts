import { createBlobStore } from '../audit/record/blobs.ts';
import { readSettings } from '../config/environment.ts';
import type { Settings } from '../config/environment.ts';
import type { ApprovalAnswer, ApprovalRequest } from '../workflows/contract.ts';
import type { AlwaysOrder } from './always.ts';
import { isYes } from './terminal/approval.ts';
import { toLine } from './clean.ts';
import type { RunClient } from '../client/run-client.ts';
import { readDetails } from '../client/events/tell.ts';
import { editArgs, parseArgs } from './terminal/edit.ts';
import { CliError, usageError } from './errors.ts';
import { createKeyboard, isForeground } from './terminal/keyboard.ts';
import { printJson, printProgress, printText } from './render/output.ts';
import { ask } from './terminal/question.ts';
import { readRedactor } from '../client/secrets.ts';
import { connectFor, parseRun, readUser, toUnknownRun, withClient } from '../client/connect.ts';
import { toSigned } from '../client/signing.ts';
import { createStyle } from './render/style.ts';

const viewWithinMs = 15_000;

/** What was typed, `run` and `request` verbatim. */
interface Answered {
  readonly answer: ApprovalAnswer['answer'];
  readonly run: string | undefined;
  readonly request: string | undefined;
  readonly json: boolean;
  readonly reason?: string;
  /** Edit the arguments first. */
  readonly edit?: true;
  /** Replacement arguments, as JSON. */
  readonly args?: string;
  /** Add a rule that gives the same answer from now on; with `yes`, without asking. */
  readonly always?: true;
  readonly yes?: true;
}

/** Answers an approval request. Returns the exit code. */
export async function answerRequest(answered: Answered): Promise<number> {
  const { answer, reason, always, json } = answered;
  const run = parseRun(answered.run);
  const settings = readSettings();
  const client = await connectFor(settings, run, printProgress);
  return await withClient(client, async () => {
    const described = await client.describe(run);
    if (described === undefined) throw await toUnknownRun(settings, run, client);
    const request = await findRequest(client, run, answered.request);
    const { workspace } = described;
    if (always)
      return await answerAlways({ settings, client, run, request, workspace, reason }, answered);
    const edited = await readEdited(settings, request, answered);
    if (edited.kind === 'never-mind') return 2;
    const signed = await toSigned(run, {
      request: request.id,
      digest: request.digest,
      answer,
      by: readUser(),
      reason,
      edited: edited.kind === 'args' ? edited.ref : undefined,
    });
    await client.answer(run, signed);
    if (json) printJson({ run, request: request.id, answer });
    else {
      const done = answer === 'approve' ? 'Approved' : 'Denied';
      const how = edited.kind === 'args' ? ', with your arguments' : '';
      printText(`${done} ${request.id}${how}: ${request.tool} ${toLine(request.preview, 160)}`);
    }
    return 0;
  });
}

async function answerAlways(
  order: Omit<AlwaysOrder, 'confirm' | 'style'>,
  { json, yes }: Answered,
): Promise<number> {
  const { approveAlways, renderAlways, toOnce } = await import('./always.ts');
  const { run, request } = order;
  const done = await approveAlways({
    ...order,
    style: createStyle(process.stderr, process.env),
    async confirm(lines) {
      if (yes) {
        if (!json) printProgress(lines.join('\n'));
        return true;
      }
      if (await isAgreed(lines, 'Add this rule? [y/N] ')) return true;
      if (canAsk()) return false;
      throw usageError(
        `There is no terminal to ask on. To add it: agent approve ${run} ${request.id} --always --yes`,
      );
    },
  });
  if (done === undefined) {
    printProgress(`Nothing was added or answered. To allow it once: ${toOnce(order)}`);
    return 2;
  }
  if (json) {
    printJson({ run, request: request.id, answer: 'approve', ...done });
    return 0;
  }
  const { done: lines, back } = renderAlways(order, done);
  for (const line of lines) printText(line);
  printProgress(back);
  return 0;
}

const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY && isForeground();

/** Shows the action and asks; without a terminal the answer is no. */
async function isAgreed(body: readonly string[], text: string): Promise<boolean> {
  if (!canAsk()) {
    if (body.length > 0) printProgress(body.join('\n'));
    return false;
  }
  const keyboard = createKeyboard();
  try {
    return isYes(await ask(keyboard, { body, text }, new AbortController().signal).typed);
  } finally {
    await keyboard.close();
  }
}

type Answering =
  | { readonly kind: 'as-asked' }
  | { readonly kind: 'args'; readonly ref: string }
  | { readonly kind: 'never-mind' };

/** Stores edited arguments, if any. @throws CliError if there is nothing to edit. */
async function readEdited(
  settings: Settings,
  request: ApprovalRequest,
  { args: given, edit }: Answered,
): Promise<Answering> {
  if (given === undefined && !edit) return { kind: 'as-asked' };
  if (request.kind !== undefined)
    throw usageError(
      `${request.id} asks what became of something: there are no arguments to edit.`,
    );
  const details = await readDetails(settings, request.details);
  if (details === undefined)
    throw usageError(
      `The arguments of ${request.id} are not in ${settings.folders.root}. Answer where the run’s state folder is.`,
    );
  const edited =
    given === undefined
      ? await editArgs(details)
      : { kind: 'changed' as const, args: parseArgs(details.tool, given) };
  if (edited.kind === 'changed') {
    const blobs = createBlobStore(settings.folders.blobs, readRedactor(settings));
    return { kind: 'args', ref: await blobs.putJson(edited.args) };
  }
  if (edited.kind === 'emptied') {
    printProgress(`You emptied the file: nothing was answered, and ${request.id} still waits.`);
    return { kind: 'never-mind' };
  }
  printProgress('You left the arguments as they are.');
  // Without a terminal, the command alone counts as approval.
  if (!canAsk() || (await isAgreed([], `Approve ${request.id} as it is? [y/N] `)))
    return { kind: 'as-asked' };
  printProgress(`Nothing was answered, and ${request.id} still waits.`);
  return { kind: 'never-mind' };
}

/** The pending request according to the run itself: the answer is bound to its digest. */
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
