import { readSettings } from '../../config/environment.ts';
import type { Verdict } from '../../policies/action.ts';
import { defineCommand } from '../command.ts';
import { runProject } from '../../client/child.ts';
import { stripControls } from '../clean.ts';
import { CliError, usageError } from '../errors.ts';
import { printProgress, printText } from '../render/output.ts';
import { readSecrets } from '../../client/secrets.ts';
import { folderOption, parseFolder } from '../values.ts';

interface Answer {
  readonly verdict: Verdict;
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
  readonly rule: string;
  readonly reason: string;
}

/** `agent tools invoke`: one call through policy, sandbox and audit. Exit 0 done, 1 failed, 3 would ask, 7 denied. */
export const command = defineCommand({
  options: {
    payload: { value: 'json', help: 'its arguments', parse: parsePayload },
    directory: folderOption,
  },
  example: `agent tools invoke read_file --payload '{"path":"README.md"}'`,
  async run({ args, options, json }) {
    const settings = readSettings();
    const workspace = options.directory ?? parseFolder(settings.workspace);
    const order = { tool: args[0] ?? '', args: options.payload ?? {}, workspace };
    const { code, stdout, stderr } = await runProject('workers/invoke.ts', [], {
      input: JSON.stringify({ ...order, secrets: readSecrets(settings) }),
    });
    const answer = parseAnswer(stdout);
    if (answer === undefined) {
      throw new CliError(
        `The tool could not be called: ${stripControls(stderr).trim() || `its process ended with ${code ?? 'a signal'}`}`,
        code === 0 || code === null ? 1 : code,
      );
    }
    if (json) printText(stdout);
    else if (answer.ok) printText(stripControls(answer.output));
    else printProgress(toSentence(answer));
    return code ?? 1;
  },
});

const toSentence = ({ verdict, rule, reason, error }: Answer): string =>
  stripControls(
    verdict === 'allow'
      ? error
      : `${verdict === 'ask' ? 'Needs approval' : 'Denied'} (${rule}): ${reason}`,
  );

function parsePayload(text: string): object {
  const usage = `--payload must be a JSON object, such as '{"path":"README.md"}'`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`${usage}, got text that is not JSON: ${(error as Error).message}.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw usageError(`${usage}, got ${text.slice(0, 80)}.`);
}

function parseAnswer(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined; // It ended before it could answer.
  }
}
