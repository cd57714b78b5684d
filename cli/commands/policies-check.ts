import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { readSettings } from '../../config/environment.ts';
import type { CheckResult } from '../cases/check.ts';
import { CheckError, checkCase } from '../cases/check.ts';
import type { Policy } from '../../policies/policy.ts';
import { tool as runCommand } from '../../tools/run-command.ts';
import { defineCommand } from '../command.ts';
import { stripControls, toLine } from '../clean.ts';
import { usageError } from '../errors.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { readBundle } from '../../client/policy/bundle.ts';
import { folderOption, parseFolder } from '../values.ts';

/**
 * `agent policies check`: judges a command, or each line of a file (`-`: stdin), by the policy in force. Exit 0
 * whatever the verdicts; 2 if a line is not a case.
 */
export const command = defineCommand({
  options: {
    cases: { value: 'file.jsonl', help: 'lines {"id","tool","args"}' },
    directory: folderOption,
  },
  example: 'agent policies check "git push origin main"',
  quote: true,
  streams: true,
  async run({ args, options, json }) {
    const settings = readSettings();
    const workspace = options.directory ?? parseFolder(settings.workspace);
    const { policy } = await readBundle(settings, workspace);
    const print = json ? printJson : printVerdict;
    const [typed] = args;
    const cases = options.cases ?? (typed === undefined ? '-' : undefined);
    if (cases === undefined) {
      const line = { id: typed, tool: runCommand.name, args: { command: typed } };
      const result = checkCase(policy, line, workspace);
      if (result !== undefined) print(result);
      return 0;
    }
    if (typed !== undefined) throw usageError('Give a command or --cases, not both.');
    if (cases === '-' && process.stdin.isTTY) {
      throw usageError(
        'Missing "command". Usage: agent policies check "command", or --cases <file>',
      );
    }
    const input = cases === '-' ? process.stdin : createReadStream(cases);
    return await checkLines(input, cases, policy, workspace, print);
  },
});

async function checkLines(
  input: Readable,
  name: string,
  policy: Policy,
  workspace: string,
  print: (result: CheckResult) => void,
): Promise<number> {
  let number = 0;
  let wrong = 0;
  let others = 0;
  const failed = new Promise<never>((_, reject) => {
    input.once('error', (error: NodeJS.ErrnoException) =>
      reject(usageError(`${name} cannot be read: ${error.code ?? error.message}.`)),
    );
  });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const read = async (): Promise<void> => {
    for await (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      try {
        const result = checkCase(policy, JSON.parse(line), workspace);
        if (result === undefined) others += 1;
        else print(result);
      } catch (error) {
        if (!(error instanceof CheckError) && !(error instanceof SyntaxError)) throw error;
        wrong += 1;
        printProgress(`${name}:${number}: ${toLine(error.message, 300)}`);
      }
    }
  };
  await Promise.race([read(), failed]);
  if (others > 0)
    printProgress(`${others} cases are of kinds no policy decides; they are left out.`);
  return wrong === 0 ? 0 : 2;
}

const printVerdict = ({ id, verdict, rule, reason }: CheckResult): void => {
  printText(stripControls(`${verdict.padEnd(5)} ${toLine(id, 60)}\n      ${rule}: ${reason}`));
};
