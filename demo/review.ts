/** The demo as reviewer: accepts what the evidence shows, and nothing else. */
import type { NormalMessage } from './exchange.ts';
import { pageName } from './listing.ts';
import { findStep } from './step.ts';

interface Review {
  readonly verdict: 'accept' | 'retry';
  readonly notes: string;
}

/** The record of calls, where the prompt frames one: what stands before it is only claimed. */
const toRecord = (text: string): readonly string[] =>
  text.slice(Math.max(text.indexOf('<record '), 0)).split('\n');

/** The last call of a tool on the page, by a line such as `#7 s1 write_file WORKSPACE.md -> ok`; -1 if none worked. */
const findCall = (lines: readonly string[], tool: string): number =>
  lines.findLastIndex(
    (line) =>
      line.includes(tool) &&
      line.includes(pageName) &&
      /\bok\b(?!.*\bfalse\b)/.test(line) &&
      !/\b(failed|refused|denied)\b/.test(line),
  );

/** For a step: what that step promised. For the whole run: written, and read back after that. */
export function reviewWork(messages: readonly NormalMessage[]): Review {
  const lines = messages.flatMap(({ role, text }) => (role === 'system' ? [] : toRecord(text)));
  const step = findStep(messages);
  const written = findCall(lines, 'write_file');
  const read = findCall(lines, 'read_file');
  const missing = [
    ...(step !== 'check' && written === -1 ? ['written (write_file)'] : []),
    ...(step !== 'write' && (read === -1 || read < written)
      ? ['read back (read_file) after that']
      : []),
  ];
  return missing.length === 0
    ? { verdict: 'accept', notes: `Demo model: the record shows what ${pageName} needed.` }
    : {
        verdict: 'retry',
        notes: `Demo model: the record does not show that ${pageName} was ${missing.join(' and ')}.`,
      };
}
