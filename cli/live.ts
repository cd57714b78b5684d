import { join } from 'node:path';
import { sayToRun, toWorkflowId } from '../workflows/contract.ts';
import { askLine, parseReply } from './prompt.ts';
import type { Asking, Typed } from './prompt.ts';
import { readDetails, renderDetails } from './details.ts';
import { renderEvent } from './render.ts';
import { renderLive } from './render-live.ts';
import { createScreen } from './screen.ts';
import { readUser } from './session.ts';
import { toSigned } from './signing.ts';
import { createSpoolReader } from './spool.ts';
import { createStyle } from './style.ts';
import type { Viewer, Watch } from './watch.ts';
import type { WatchView } from './watch-view.ts';
import { emptyView } from './watch-view.ts';

const redrawMs = 150;

/** The view of a terminal: what happened scrolls by, plan and budget stay at the bottom, questions are answered in place. */
export function createLiveViewer({ client, settings, run }: Watch): Viewer {
  const style = createStyle(process.stderr, process.env);
  const screen = createScreen(process.stderr);
  const spool = createSpoolReader(join(settings.folders.spool, `${toWorkflowId(run)}.ndjson`));
  const leaving = Promise.withResolvers<void>();
  let view = emptyView;
  let text = '';
  let closed = false;
  /** What is being asked, and how to stop asking when someone else has answered. */
  let asked: { readonly id: string; readonly stop: AbortController; asking?: Asking } | undefined;

  /** Answered here; the event that says so is still on its way. */
  const answered = new Set<string>();

  const draw = (): void => {
    if (closed || asked !== undefined) return;
    const elapsed = view.started === undefined ? 0 : Date.now() - Date.parse(view.started.time);
    screen.draw(renderLive(view, text, elapsed, style));
  };
  const refresh = async (): Promise<void> => {
    text = await spool.read();
    draw();
  };
  const timer = setInterval(() => void refresh(), redrawMs);

  const ask = async (prompt: Prompt): Promise<void> => {
    const stop = new AbortController();
    const now: NonNullable<typeof asked> = { id: prompt.id, stop };
    asked = now;
    screen.clear();
    const details = await readDetails(settings, prompt.details);
    if (details !== undefined)
      process.stderr.write(`${renderDetails(details, style).join('\n')}\n`);
    for (;;) {
      now.asking = askLine(style.bold(prompt.text), stop.signal);
      const typed = await now.asking.typed;
      if (typed?.kind === 'left') leaving.resolve();
      if (typed === undefined || typed.kind === 'left' || closed) break;
      const trouble = await prompt.take(typed);
      if (trouble === undefined) {
        answered.add(prompt.id);
        break;
      }
      process.stderr.write(`${trouble}\n`);
    }
    asked = undefined;
    draw();
  };

  return {
    answers: true,
    left: leaving.promise,
    show(events, next) {
      view = next;
      const lines = events.flatMap((event) => renderEvent(event, style));
      if (asked?.asking === undefined) screen.write(lines);
      else if (lines.length > 0) asked.asking.interrupt(() => screen.write(lines));
      const prompt = toPrompt({ client, run }, view);
      if (asked !== undefined && asked.id !== prompt?.id) asked.stop.abort();
      if (prompt !== undefined && asked?.id !== prompt.id && !answered.has(prompt.id)) {
        ask(prompt).catch((error: Error) => process.stderr.write(`${error.message}\n`));
      }
      draw();
    },
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      asked?.stop.abort();
      screen.clear();
      await spool.close();
    },
  };
}

interface Prompt {
  readonly id: string;
  readonly text: string;
  /** ApprovalDetails, as a blob. */
  readonly details?: string;
  /** Undefined when the answer was taken, else why it was not. */
  readonly take: (typed: Extract<Typed, { kind: 'line' }>) => Promise<string | undefined>;
}

function toPrompt(
  { client, run }: Pick<Watch, 'client' | 'run'>,
  { approvals: [approval], question }: WatchView,
): Prompt | undefined {
  if (approval !== undefined) {
    const { request, digest } = approval;
    return {
      id: request,
      text: `Allow ${request}? [y]es or [n]o, with a reason if you like: `,
      ...(approval.details === undefined ? {} : { details: approval.details }),
      async take({ text }) {
        const reply = parseReply(text);
        if (reply === undefined) return 'Please begin with y or n.';
        const answer = await toSigned(run, { request, digest, by: readUser(), ...reply });
        // Refused when someone else was quicker: then the next event tells what they said.
        await client.answer(run, answer).catch((error: Error) => {
          process.stderr.write(`${error.message}\n`);
        });
        return undefined;
      },
    };
  }
  if (question === undefined) return undefined;
  return {
    id: question.request,
    text: 'Your answer: ',
    async take({ text }) {
      if (text.trim() === '') return 'Please say something; Ctrl-C leaves the run waiting.';
      await client.signal(run, sayToRun, text.trim(), readUser());
      return undefined;
    },
  };
}
