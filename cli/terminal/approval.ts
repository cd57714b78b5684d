/** An approval on the terminal: shows the whole action, then asks y, n, always or edit. */
import { createBlobStore } from '../../audit/record/blobs.ts';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import type { ApprovalAnswer } from '../../workflows/contract.ts';
import type { AlwaysOrder } from '../always.ts';
import { readDetails } from '../../client/events/tell.ts';
import { renderDetails } from '../render/details.ts';
import { toExitCode } from '../errors.ts';
import type { Keyboard } from './keyboard.ts';
import { parseReply } from './prompt.ts';
import type { ApprovalReply, Asking } from './prompt.ts';
import { ask } from './question.ts';
import type { Answer, Question } from './question.ts';
import { readRedactor } from '../../client/secrets.ts';
import { readUser } from '../../client/connect.ts';
import { toSigned } from '../../client/signing.ts';
import type { Style } from '../render/style.ts';
import type { Watch } from '../viewer.ts';
import type { EventOf } from '../../client/events/watch-view.ts';

type Approval = EventOf<'approval.requested'>;

export interface ApprovalTalk {
  readonly watch: Pick<Watch, 'client' | 'settings' | 'run'>;
  readonly keyboard: Keyboard;
  /** Absolute, as given when the run started. */
  readonly workspace: string;
  readonly style: Style;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
  /** Called with each question, so that events meanwhile are printed above it. */
  readonly onAsk: (asking: Asking<Answer>) => void;
}

/** `answered`: an answer was sent. `left`: the person wants to leave. Undefined if someone else answered first. */
export type TalkEnd = 'answered' | 'left' | undefined;

export async function talkOver(talk: ApprovalTalk, approval: Approval): Promise<TalkEnd> {
  const { watch, keyboard, style, signal, say } = talk;
  const details = await readDetails(watch.settings, approval.details);
  const isMissing = approval.details !== undefined && details === undefined;
  if (isMissing)
    say(
      `The details of ${approval.request} are not in ${watch.settings.folders.root} on this machine: you can refuse it here, and allow it where the run’s state folder is.`,
    );
  const columns = keyboard.terminal.output.columns ?? 80;
  let body = details === undefined ? [] : renderDetails(details, style, columns - 1);
  while (!signal.aborted) {
    const answer = await askOnce(talk, toQuestion(approval, body, details, style));
    if (answer === undefined) return undefined;
    if (answer.typed.kind === 'left') return 'left';
    const reply = parseReply(answer.typed.text);
    const problem = findProblem(reply, answer.whole, isMissing, details);
    if (reply === undefined || problem !== undefined) {
      say(problem ?? hintOf(details));
      // Once shown whole, it stays on the screen.
      if (answer.whole) body = [];
      continue;
    }
    if (await carryOut(talk, approval, details, reply)) return 'answered';
    body = [];
  }
  return undefined;
}

function toQuestion(
  { request }: Approval,
  body: readonly string[],
  details: ApprovalDetails | undefined,
  { bold }: Style,
): Question {
  const more = details === undefined ? ' or [n]o' : ', [n]o, [a]lways or [e]dit';
  return {
    body,
    text: bold(`Allow ${request}? [y]es${more}, with a reason if you like: `),
    early: {
      key: 'n',
      hint: 'n refuses',
      text: bold(`Refuse ${request}? [n]o, with a reason if you like; Enter shows more: `),
    },
  };
}

const hintOf = (details: ApprovalDetails | undefined): string =>
  details === undefined ? 'Please begin with y or n.' : 'Please begin with y, n, a or e.';

function findProblem(
  reply: ApprovalReply | undefined,
  whole: boolean,
  isMissing: boolean,
  details: ApprovalDetails | undefined,
): string | undefined {
  if (reply === undefined) return hintOf(details);
  if (reply.answer === 'deny') return undefined;
  if (isMissing) return 'You can only refuse it here: n, with a reason if you like.';
  if (!whole) return 'You have not seen all of it yet, so you can only refuse it: n.';
  if (reply.answer !== 'approve' && details === undefined) return hintOf(details);
  return undefined;
}

async function askOnce(
  { keyboard, signal, onAsk }: ApprovalTalk,
  question: Question,
): Promise<Answer | undefined> {
  const asking = ask(keyboard, question, signal);
  onAsk(asking);
  return await asking.typed;
}

/** False if nothing was answered and the question stands. */
async function carryOut(
  talk: ApprovalTalk,
  approval: Approval,
  details: ApprovalDetails | undefined,
  { answer, reason }: ApprovalReply,
): Promise<boolean> {
  try {
    if (answer === 'always') return await allowAlways(talk, approval, reason);
    if (answer !== 'edit') return await send(talk, approval, { answer, reason });
    const edited = details && (await edit(talk, details));
    return (
      edited !== undefined && (await send(talk, approval, { answer: 'approve', edited, reason }))
    );
  } catch (error) {
    if (toExitCode(error) === undefined) throw error;
    talk.say((error as Error).message);
    return false;
  }
}

async function send(
  { watch: { client, run }, signal, say }: ApprovalTalk,
  { request, digest }: Approval,
  answer: Pick<ApprovalAnswer, 'answer' | 'reason' | 'edited'>,
): Promise<boolean> {
  // Someone answered meanwhile.
  if (signal.aborted) return false;
  const signed = await toSigned(run, { request, digest, by: readUser(), ...answer });
  // Refused if someone else was first; the next event shows their answer.
  await client.answer(run, signed).catch((error: Error) => say(error.message));
  return true;
}

/** Blob of the edited arguments; undefined if unchanged. @throws CliError */
async function edit(
  { watch: { settings }, keyboard, say }: ApprovalTalk,
  details: ApprovalDetails,
): Promise<string | undefined> {
  // The tools' schemas are loaded only for this.
  const { editArgs } = await import('./edit.ts');
  const edited = await keyboard.lend(() => editArgs(details));
  if (edited.kind === 'changed')
    return await createBlobStore(settings.folders.blobs, readRedactor(settings)).putJson(
      edited.args,
    );
  say(
    edited.kind === 'emptied'
      ? 'You emptied the file: nothing was answered.'
      : 'You left the arguments as they are: y allows exactly that.',
  );
  return undefined;
}

async function allowAlways(
  talk: ApprovalTalk,
  approval: Approval,
  reason: string | undefined,
): Promise<boolean> {
  const { approveAlways, renderAlways } = await import('../always.ts');
  const { watch, workspace, style, say } = talk;
  const { request: id, kind, digest, details } = approval;
  const order: AlwaysOrder = {
    ...watch,
    reason,
    workspace,
    style,
    request: { id, digest, kind, details },
    confirm: async (body) => isYes(await askOnce(talk, { body, text: 'Add this rule? [y/N] ' })),
  };
  const done = await approveAlways(order);
  if (done === undefined) {
    say('No rule was added, and nothing was answered.');
    return false;
  }
  const lines = renderAlways(order, done);
  for (const line of [...lines.done, lines.back]) say(line);
  return true;
}

/** A plain yes to something shown in full. */
export const isYes = (answer: Answer | undefined): boolean =>
  answer?.typed.kind === 'line' && answer.whole && /^\s*y(es)?\s*$/i.test(answer.typed.text);
