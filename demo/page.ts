/** Facts → WORKSPACE.md, and back as far as it has to be checked. */
import type { CommandResult, Facts } from './facts.ts';
import type { Count, Listing } from './listing.ts';

const mostRows = 20;

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Text of others in a table cell or a line: one line, not too long, nothing that ends the cell. */
const quote = (text: string, most = 300): string => {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

const table = (left: string, rows: readonly Count[]): string =>
  [
    `| ${left} | files |`,
    '| --- | ---: |',
    ...rows.slice(0, mostRows).map(([name, files]) => `| ${quote(name, 80)} | ${files} |`),
    ...(rows.length > mostRows ? [`| ${rows.length - mostRows} more | |`] : []),
  ].join('\n');

/** The sentence both the writing and the checking of the page count by. */
export const renderCount = ({ files, folders }: Listing): string =>
  `${plural(files.length, 'file')} in ${plural(folders.length, 'folder')}`;

function renderCommand({ line, ok, output }: CommandResult): string {
  if (!ok) return `\`${line}\` did not work here: ${quote(output)}`;
  const body = output.trim().split('\n').slice(0, mostRows).join('\n').replaceAll('```', "'''");
  return `\`${line}\` said:\n\n\`\`\`\n${body}\n\`\`\``;
}

/** Markdown. Sections with no facts are left out. */
export function renderPage(facts: Facts): string {
  const { listing, command, scripts } = facts;
  const sections = [
    `# ${quote(facts.name ?? 'Workspace', 100)}`,
    ...(facts.description === undefined ? [] : [quote(facts.description, 600)]),
    `Demo model: a small program wrote this page from what its tools returned. Not counted: ${['WORKSPACE.md itself', 'links', ...listing.closed.map((folder) => `what is in ${quote(folder, 100)}/`)].join(', ')}.`,
    `**Size:** ${renderCount(listing)}${listing.complete ? '' : ', at least: the listing was cut'}.`,
    ...(listing.files.length === 0
      ? []
      : [`## File types\n\n${table('extension', facts.extensions)}`]),
    ...(facts.topFolders.length === 0
      ? []
      : [`## Folders\n\n${table('folder', facts.topFolders)}`]),
    ...(scripts.length === 0
      ? []
      : [
          `## Scripts\n\n${scripts
            .slice(0, mostRows)
            .map(([name, line]) => `- \`${quote(name, 60)}\`: \`${quote(line, 160)}\``)
            .join('\n')}`,
        ]),
    ...(command === undefined
      ? []
      : [
          `## ${command.line.startsWith('git log') ? 'Recent commits' : 'Root folder'}\n\n${renderCommand(command)}`,
        ]),
    ...(facts.sources.length === 0 ? [] : [`Read: ${facts.sources.join(', ')}.`]),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** True when the page says of the workspace what the listing says. */
export const isPageTrue = (page: string, listing: Listing): boolean =>
  page.includes(`**Size:** ${renderCount(listing)}`);
