import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { toExitCode } from '../errors.ts';
import { stripControls } from '../clean.ts';
import type { Mask } from '../../policies/secrets/redaction.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';
import { pickSecrets } from '../../policies/secrets/values.ts';

/** Input may contain a secret; settings may be what is wrong, so none are read. */
const toMask = (): Mask => createRedactor(pickSecrets(process.env));

/** Prints an error for people (with `json` also for programs) and returns the exit code. */
export async function reportError(error: unknown, json: boolean): Promise<number> {
  const exitCode = toExitCode(error);
  const { mask } = toMask();
  const said = mask(stripControls(error instanceof Error ? error.message : String(error)));
  const message = exitCode === undefined ? await noteUnexpected(error, said) : said;
  if (json)
    process.stdout.write(`${JSON.stringify({ error: message, exitCode: exitCode ?? 1 })}\n`);
  process.stderr.write(`agent: ${message}\n`);
  if (process.env['AGENT_DEBUG'] === '1' && error instanceof Error) {
    process.stderr.write(`${mask(stripControls(error.stack ?? ''))}\n`);
  }
  return exitCode ?? 1;
}

/** A bug: the stack trace goes to a log, the user gets one line that says where. */
async function noteUnexpected(error: unknown, said: string): Promise<string> {
  const [head = ''] = said.split('\n');
  try {
    const { readSettings } = await import('../../config/environment.ts');
    const { logs } = readSettings().folders;
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    const log = join(logs, 'cli.log');
    const { mask } = toMask();
    const stack = mask(error instanceof Error ? (error.stack ?? said) : said);
    appendFileSync(
      log,
      `${new Date().toISOString()} ${mask(process.argv.slice(2, 4).join(' '))}\n${stack}\n`,
      { mode: 0o600 },
    );
    return `Unexpected error: ${head} (details: ${log})`;
  } catch {
    return `Unexpected error: ${head} (AGENT_DEBUG=1 shows where)`;
  }
}
