/** The demo as executor: what the results so far leave to do, one turn at a time. */
import type { NormalAnswer } from './exchange.ts';
import { readFacts } from './facts.ts';
import type { Listing } from './listing.ts';
import { findManifests, hasGit, pageName, parseListing } from './listing.ts';
import type { Observed } from './observed.ts';
import { isPageTrue, renderCount, renderPage } from './page.ts';
import type { DemoStep } from './step.ts';

type Args = Readonly<Record<string, unknown>>;

const call = (text: string, name: string, ...list: readonly Args[]): NormalAnswer => ({
  text: `Demo model: ${text}`,
  calls: list.map((args) => ({ name, args })),
});

const finish = (summary: string, evidence: string): NormalAnswer => ({
  calls: [{ name: 'finish_step', args: { summary: `Demo model: ${summary}`, evidence } }],
});

const isOnPage = ({ args }: Observed): boolean => args['path'] === pageName;

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 200);

/** Levels of folders that are listed: the most the tool allows. */
const depth = 20;

/** Everything before the page is written. Undefined when it was tried. */
function describe(seen: readonly Observed[], tools: ReadonlySet<string>): NormalAnswer | undefined {
  const listing = toListing(seen);
  const unread = findManifests(listing).filter(
    (path) => !seen.some(({ tool, args }) => tool === 'read_file' && args['path'] === path),
  );
  if (unread.length > 0) {
    const reads = unread.map((path): Args => ({ path }));
    return call(`I read ${unread.join(', ')}.`, 'read_file', ...reads);
  }
  if (tools.has('run_command') && !seen.some(({ tool }) => tool === 'run_command')) {
    return hasGit(listing)
      ? call('I look at the last commits.', 'run_command', { command: 'git log --oneline -n 5' })
      : call('There is no .git folder; I look at the root folder.', 'run_command', {
          command: 'ls -la',
        });
  }
  if (!seen.some(({ tool }) => tool === 'write_file')) {
    // One from an earlier run: no file is written over that was not read.
    const listed = seen.find(({ tool }) => tool === 'list_files')?.text ?? '';
    const isThere = listed.split('\n').some((line) => line.startsWith(`${pageName} `));
    if (isThere && !seen.some((item) => item.tool === 'read_file' && isOnPage(item)))
      return call(`I read the ${pageName} that is there.`, 'read_file', { path: pageName });
    const content = renderPage(readFacts(seen));
    return call(`I write down what I found.`, 'write_file', { path: pageName, content });
  }
  return undefined;
}

const toListing = (seen: readonly Observed[]): Listing =>
  parseListing(seen.findLast(({ tool }) => tool === 'list_files')?.text ?? '');

/** Reads the page back and compares it with the listing; writes it anew if it tells another story. */
function check(seen: readonly Observed[], tools: ReadonlySet<string>): NormalAnswer {
  const written = seen.findLastIndex(({ tool }) => tool === 'write_file');
  const read = seen.slice(written + 1).find((item) => item.tool === 'read_file' && isOnPage(item));
  if (read === undefined) return call(`I read ${pageName} back.`, 'read_file', { path: pageName });
  const listing = toListing(seen);
  if (read.ok && isPageTrue(read.text, listing)) {
    return finish(
      `I read ${pageName} back; it says ${renderCount(listing)}, and so does a fresh listing.`,
      `read_file ${pageName} and list_files agree on ${renderCount(listing)}.`,
    );
  }
  const problem = read.ok
    ? `${pageName} does not say ${renderCount(listing)}, as the listing does.`
    : `${pageName} could not be read: ${oneLine(read.text)}`;
  return (written === -1 ? describe(seen, tools) : undefined) ?? finish(problem, problem);
}

function report(seen: readonly Observed[]): NormalAnswer {
  const write = seen.findLast(({ tool }) => tool === 'write_file');
  if (write?.ok !== true) {
    const reason = `${pageName} was not written: ${oneLine(write?.text ?? 'nothing came back.')}`;
    return finish(reason, reason);
  }
  const { listing, extensions, command, sources } = readFacts(seen);
  const kinds = extensions.slice(0, 3).map(([name, files]) => `${files} ${name}`);
  return finish(
    `I wrote ${pageName}: ${renderCount(listing)}${kinds.length === 0 ? '' : `, most of them ${kinds.join(', ')}`}.`,
    [
      `list_files gave ${renderCount(listing)}.`,
      ...(sources.length === 0 ? [] : [`Read: ${sources.join(', ')}.`]),
      ...(command === undefined
        ? []
        : [
            `\`${command.line}\` ${command.ok ? 'ran' : `did not run: ${oneLine(command.output)}`}.`,
          ]),
      `write_file ${pageName} succeeded.`,
    ].join(' '),
  );
}

/** The next call of a step, or its end. */
export function workOn(
  step: DemoStep,
  seen: readonly Observed[],
  tools: ReadonlySet<string>,
): NormalAnswer {
  const listed = seen.findLast(({ tool }) => tool === 'list_files');
  // In a long conversation old results are shortened; numbers taken from what is left would be wrong.
  const isShortened = listed?.text.includes('\n[shortened: ') === true && seen.at(-1) !== listed;
  if (listed === undefined || isShortened) {
    return call('I list the workspace.', 'list_files', { path: '.', depth });
  }
  if (!listed.ok) {
    const reason = `the workspace could not be listed: ${oneLine(listed.text)}`;
    return finish(reason, reason);
  }
  if (step === 'check') return check(seen, tools);
  const next = describe(seen, tools);
  if (next !== undefined) return next;
  const isWritten = seen.some(({ tool, ok }) => tool === 'write_file' && ok);
  return step === 'any' && isWritten ? check(seen, tools) : report(seen);
}
