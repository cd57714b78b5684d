import { printProgress } from './render/output.ts';
import { join } from 'node:path';
import type { RunEvent } from '../audit/events/run-event.ts';
import { toWorkflowId } from '../workflows/names.ts';
import { talkOver } from './terminal/approval.ts';
import type { ApprovalTalk, TalkEnd } from './terminal/approval.ts';
import { showControls } from './clean.ts';
import { createKeyboard } from './terminal/keyboard.ts';
import { pastedBreak } from './terminal/keys.ts';

import { sayTo } from '../client/messages.ts';
import type { Asking } from './terminal/prompt.ts';
import { ask } from './terminal/question.ts';
import type { Answer } from './terminal/question.ts';
import { createAccount } from './render/account.ts';
import { renderLive } from './render/render-live.ts';
import { createScreen } from './render/screen.ts';
import { createSpoolReader } from '../client/events/spool.ts';
import { createStyle } from './render/style.ts';
import type { Viewer, Watch } from './viewer.ts';
import type { EventOf, WatchView } from '../client/events/watch-view.ts';
import { emptyView } from '../client/events/watch-view.ts';
import { toColumns } from './render/table.ts';
import { wrapLine, wrapWords } from './render/width.ts';
import { isInvalid } from '../client/errors.ts';

const redrawMs = 150;

/** The terminal view: events scroll by, plan and budget stay at the bottom, questions are answered in place. */
export function createLiveViewer(watch: Watch): Viewer {
  const { settings, run } = watch;
  const style = createStyle(process.stderr, process.env);
  const keyboard = createKeyboard();
  const screen = createScreen(process.stderr, keyboard.terminal.escapes);
  const spool = createSpoolReader(join(settings.folders.spool, `${toWorkflowId(run)}.ndjson`));
  const leaving = Promise.withResolvers<void>();
  void keyboard.left.then(leaving.resolve);
  let view = emptyView;
  const account = createAccount(style);
  let text = '';
  /** Written before the model became unavailable. */
  let stale = '';
  let closed = false;
  /** We are stopped or in the background. */
  let away = false;
  /** The current question, and how to cancel it when someone else has answered. */
  let asked:
    { readonly id: string; readonly stop: AbortController; asking?: Asking<Answer> } | undefined;

  /** Answered here; the event confirming it has not arrived yet. */
  const answered = new Set<string>();

  const draw = (): void => {
    if (closed || away || asked !== undefined) return;
    const elapsed = view.started === undefined ? 0 : Date.now() - Date.parse(view.started.time);
    screen.draw(renderLive(view, text === stale ? '' : text, elapsed, style));
  };
  const refresh = async (): Promise<void> => {
    text = await spool.read();
    draw();
  };
  const timer = setInterval(() => void refresh(), redrawMs);
  keyboard.onLeave(() => {
    away = true;
    screen.clear();
  });
  keyboard.onReturn(() => {
    away = false;
    screen.forget();
    draw();
  });

  const open = async ({ id, approval, question }: Open): Promise<void> => {
    const stop = new AbortController();
    const now: NonNullable<typeof asked> = { id, stop };
    asked = now;
    screen.clear();
    const talk = {
      watch,
      keyboard,
      style,
      say: printProgress,
      signal: stop.signal,
      workspace: view.started?.workspace ?? '',
      onAsk: (asking: Asking<Answer>) => void (now.asking = asking),
    };
    try {
      const end = await (approval === undefined
        ? answerQuestion(talk, question)
        : talkOver(talk, approval));
      if (end === 'left') leaving.resolve();
      else if (end === 'answered') answered.add(id);
    } catch (error) {
      answered.add(id);
      printProgress((error as Error).message);
    } finally {
      asked = undefined;
      follow();
      draw();
    }
  };

  /** Asks what the run is waiting for, and stops asking what it no longer waits for. */
  const follow = (): void => {
    const next = closed ? undefined : toOpen(view);
    if (asked !== undefined) {
      if (asked.id !== next?.id) asked.stop.abort();
    } else if (next !== undefined && !answered.has(next.id)) void open(next);
  };

  const print = (told: readonly string[]): void => {
    const columns = toColumns(process.stderr) - 1;
    const lines = told.flatMap((line) => wrapWords(line, columns));
    if (asked?.asking === undefined) screen.write(lines);
    else if (lines.length > 0) asked.asking.interrupt(() => screen.write(lines));
  };

  return {
    answers: true,
    left: leaving.promise,
    say: (line) => (closed ? printProgress(line) : print([line])),
    show(events, next) {
      view = next;
      if (events.some(({ type }) => type === 'model.waiting')) stale = text;
      const lines = events.flatMap((event) => {
        const told = account(event);
        return isAskedHere(event, next) ? [] : told;
      });
      print(lines);
      follow();
      draw();
    },
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      asked?.stop.abort();
      screen.clear();
      await keyboard.close();
      await spool.close();
    },
  };
}

/** A question about to be asked here shows its subject itself. */
const isAskedHere = (event: RunEvent, { approvals, questions }: WatchView): boolean =>
  event.type === 'approval.requested'
    ? approvals.includes(event) && event.action !== undefined && event.refused === undefined
    : event.type === 'input.requested' && questions.includes(event);

type Open = {
  /** Identifies the question by its subject: another digest is another question. */
  readonly id: string;
} & (
  | { readonly approval: EventOf<'approval.requested'>; readonly question?: never }
  | { readonly approval?: never; readonly question: EventOf<'input.requested'> }
);

function toOpen({ approvals: [approval], question }: WatchView): Open | undefined {
  if (approval !== undefined) return { id: `${approval.request} ${approval.digest}`, approval };
  return question && { id: question.request, question };
}

async function answerQuestion(
  { watch, keyboard, signal, say, onAsk }: ApprovalTalk,
  { request, question }: EventOf<'input.requested'>,
): Promise<TalkEnd> {
  const columns = (keyboard.terminal.output.columns ?? 80) - 1;
  const lines = showControls(question).trim().split('\n');
  let body = lines
    .flatMap((line) => wrapWords(line, columns))
    .flatMap((line) => wrapLine(line, columns));
  for (;;) {
    const asking = ask(keyboard, { body, text: 'Your answer: ' }, signal);
    onAsk(asking);
    const answer = await asking.typed;
    if (answer === undefined) return undefined;
    if (answer.typed.kind === 'left') return 'left';
    const words = answer.typed.text.replaceAll(pastedBreak, '\n').trim();
    if (words !== '') {
      try {
        await sayTo({ ...watch, onProgress: printProgress }, words, request);
        return 'answered';
      } catch (error) {
        if (!isInvalid(error)) throw error;
        say(error.message);
      }
    } else say('Please say something; Ctrl-C leaves the run waiting.');
    body = [];
  }
}
