import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import type { AskedQuestion } from '../../workflows/contract.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import type { RunClient } from '../../client/run-client.ts';
import { CliError, usageError } from '../errors.ts';
import { readEventsSoFar } from '../../client/events/so-far.ts';
import { checkLength, sayTo } from '../../client/messages.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { readRedactor } from '../../client/secrets.ts';
import { toEnded } from '../../client/steer.ts';
import { connectFor, parseRun, withClient } from '../../client/connect.ts';
import { emptyView, foldEvent } from '../../client/events/watch-view.ts';

const askWithinMs = 3_000;
const endWithinMs = 30_000;

/** `agent say`: the model reads the message at its next turn; if a question is open, it is the answer. */
export const command = defineCommand({
  options: { to: { value: 'question', help: 'the question it answers, where several are open' } },
  example: `agent say brave-otter-4f2a "use vitest"`,
  quote: true,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    const message = readRedactor(settings).mask(parseMessage(args[1]));
    checkLength(message);
    const client = await connectFor(settings, run, printProgress);
    const to = await withClient(client, async () => {
      const question = chooseQuestion(run, await readQuestions(client, settings, run), options.to);
      const recipient = { client, settings, run, onProgress: printProgress };
      if (!(await sayTo(recipient, message, question))) throw await toEnded(recipient);
      if (await isTooLate(client, run, message)) {
        throw new CliError(
          `Run ${run} was ending when the message arrived, and no model has read it. See: agent show ${run}`,
          1,
        );
      }
      return question;
    });
    if (json) printJson({ run, sent: true, to: to === '' ? undefined : to });
    else
      printText(
        `Run ${run} will read${to === '' ? '' : `, as answer to ${to}`}: ${toLine(message, 60)}.`,
      );
    return 0;
  },
});

function parseMessage(typed = ''): string {
  const message = typed.trim();
  if (message === '') throw usageError('The message is empty. Usage: agent say <run> "message"');
  return message;
}

/** The run's open questions, from the run itself, or from its record if no worker answers. */
async function readQuestions(
  client: RunClient,
  settings: Settings,
  run: string,
): Promise<readonly AskedQuestion[]> {
  const view = await client.view(run, askWithinMs);
  if (view?.questions !== undefined) return view.questions;
  const { questions } = (await readEventsSoFar(settings, run)).reduce(foldEvent, emptyView);
  return questions.map(({ request: id, step, question }) => ({ id, step, question }));
}

/** The question a message answers; empty if none is open. Pure. */
export function chooseQuestion(
  run: string,
  open: readonly AskedQuestion[],
  named: string | undefined,
): string {
  const list = open.map(({ id, question }) => `  ${id}: ${toLine(question, 200)}`).join('\n');
  if (named !== undefined) {
    if (open.some(({ id }) => id === named)) return named;
    const are = list === '' ? 'none is' : `open are:\n${list}`;
    throw usageError(`Run ${run} is not waiting for an answer to ${named}; ${are}`);
  }
  if (open.length > 1) {
    throw usageError(
      `Run ${run} has ${open.length} open questions:\n${list}\nSay which one you are answering: agent say ${run} --to ${open[0]?.id ?? ''} "…"`,
    );
  }
  return open[0]?.id ?? '';
}

/** Whether the run could no longer act on the message. An unreachable run has not ended. */
async function isTooLate(client: RunClient, run: string, message: string): Promise<boolean> {
  const phase = (await client.view(run, askWithinMs))?.now.phase;
  if (phase !== 'closing' && phase !== 'closed') return false;
  const result = await client.result(run, endWithinMs);
  return result?.unheard?.includes(message.slice(0, 500)) ?? true;
}
