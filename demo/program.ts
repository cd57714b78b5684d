/** A small program in place of a language model: it can describe a workspace, and says that it can do no more. */
import type { AnswerCall, NormalAnswer, NormalMessage, NormalRequest } from './exchange.ts';
import { pageName, renderPage, renderSize } from './page.ts';
import type { Result } from './results.ts';
import { readResults } from './results.ts';

const introduction =
  'Demo model: a small program, not a language model. Whatever the goal, it describes the workspace';

const plan = {
  approach: `${introduction} in ${pageName}.`,
  steps: [
    {
      id: 's1',
      title: `Look at the workspace and write ${pageName}`,
      detail:
        'List the files, read what describes the project, and write down what the tools return.',
      dependsOn: [],
      acceptance: [`${pageName} is written.`],
    },
    {
      id: 's2',
      title: `Check ${pageName}`,
      detail: `Look again and compare; write ${pageName} anew if it differs from what the tools return.`,
      dependsOn: ['s1'],
      acceptance: [`${pageName} says what the tools return.`],
    },
  ],
};

/** The calls that show what the project is, as far as the listing names something to look at. */
function findSources(listing: string, tools: ReadonlySet<string>): readonly AnswerCall[] {
  const names = /^(?:readme(?:\.\w+)?|package\.json|workspace\.md)(?= \d+$)/gim;
  const paths = listing.match(names) ?? [];
  const reads = paths.map((path) => ({ name: 'read_file', args: { path } }));
  if (!/^\.git\//m.test(listing) || !tools.has('run_command')) return reads;
  return [...reads, { name: 'run_command', args: { command: 'git log --oneline -n 5' } }];
}

/** The next turn of either step: list, look, and write the page unless it says what the tools returned. */
function work(results: readonly Result[], tools: ReadonlySet<string>): NormalAnswer {
  const finish = (summary: string): NormalAnswer => {
    const evidence = results.map(({ tool, of, state }) => `${tool} ${of}: ${state}`).join(', ');
    return { calls: [{ name: 'finish_step', args: { summary, evidence } }] };
  };
  const listing = results.find(({ tool }) => tool === 'list_files');
  if (listing === undefined) {
    const call = { name: 'list_files', args: { path: '.', depth: 20 } };
    return { text: 'I list the workspace.', calls: [call] };
  }
  if (listing.state !== 'ok') return finish(`The workspace was not listed: ${listing.text}`);
  const sources = findSources(listing.text, tools);
  if (results.length === 1 && sources.length > 0)
    return { text: 'I read what describes it.', calls: sources };

  const written = results.find(({ tool }) => tool === 'write_file');
  if (written !== undefined && written.state !== 'ok')
    return finish(`${pageName} was not written: ${written.text}`);
  const size = renderSize(listing.text);
  if (written !== undefined) return finish(`Wrote ${pageName}: ${size}.`);
  const content = renderPage(results);
  if (results.some(({ of, text }) => of === pageName && text === content))
    return finish(`${pageName} says what the tools return: ${size}.`);
  const call = { name: 'write_file', args: { path: pageName, content } };
  return { text: 'I write down what the tools returned.', calls: [call] };
}

/** Believes the record, not the claims: the last call on the page must have worked. */
function review(messages: readonly NormalMessage[]): { verdict: string; notes: string } {
  const [, record = ''] = messages
    .map(({ text }) => text)
    .join('\n')
    .split(/^<record /m);
  const calls = record.match(/^#\d+ \S+ (?:read|write)_file WORKSPACE\.md -> .+$/gm);
  const last = calls?.at(-1) ?? 'none';
  const notes = `Last call on ${pageName} in the record: ${last}. The demo model checks no more.`;
  return { verdict: last.endsWith('-> ok') ? 'accept' : 'retry', notes };
}

/** Depends on the request alone: the same conversation gets the same answer. */
export async function answerDemo(request: NormalRequest): Promise<NormalAnswer> {
  const { schema, messages, tools } = request;
  if (schema === 'plan') return { json: plan };
  if (schema === 'review') return { json: review(messages) };
  const offered = new Set(tools.map(({ name }) => name));
  if (offered.has('finish_step')) return work(readResults(messages), offered);
  return { text: `${introduction}.` };
}
