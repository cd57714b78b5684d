/** The demo as reviewer: accepts what the evidence shows, and nothing else. */
import type { NormalMessage } from './exchange.ts';
import { pageName } from './listing.ts';
import { findStep } from './step.ts';

interface Review {
  readonly verdict: 'accept' | 'retry';
  readonly notes: string;
}

/** Lines on which a tool is named together with the page and nothing says that it failed. */
const shows = (lines: readonly string[], tool: string): boolean =>
  lines.some(
    (line) =>
      line.includes(tool) &&
      line.includes(pageName) &&
      !/\b(failed|denied|refused|error|not ok)\b|"ok":\s*false|\bdeny\b/i.test(line),
  );

/** For a step: what that step promised. For the whole run: both. */
export function reviewWork(messages: readonly NormalMessage[]): Review {
  const lines = messages.flatMap(({ text }) => text.split('\n'));
  const step = findStep(messages);
  const missing = [
    ...(step !== 'check' && !shows(lines, 'write_file') ? [`written (write_file)`] : []),
    ...(step !== 'write' && !shows(lines, 'read_file') ? [`read back (read_file)`] : []),
  ];
  return missing.length === 0
    ? { verdict: 'accept', notes: `Demo model: the evidence shows what ${pageName} needed.` }
    : {
        verdict: 'retry',
        notes: `Demo model: the evidence does not show that ${pageName} was ${missing.join(' and ')}.`,
      };
}
