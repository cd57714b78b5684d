/** WORKSPACE.md, made of tool results and nothing else. */
import { extname } from 'node:path/posix';
import type { Result } from './results.ts';

/** Never counted, so writing it changes no number. */
export const pageName = 'WORKSPACE.md';

/** A line of a listing: `folder/`, `file 120`, `name (link)`. Any other line says that something was left out. */
const entry = /(?:\/(?: \(not listed\))?| \d+| \((?:link|special)\))$|^\(empty folder\)$/;

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Text from the workspace, fit for a paragraph or a table cell. */
const quote = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();

const list = new Intl.ListFormat('en');

const toLines = (tree: string): readonly string[] =>
  tree.split('\n').filter((line) => !line.startsWith(`${pageName} `));

const toFiles = (tree: string): readonly string[] =>
  toLines(tree).flatMap((line) => /^ *(.+) \d+$/.exec(line)?.[1] ?? []);

export function renderSize(listing: string): string {
  const lines = toLines(listing);
  const folders = lines.filter((line) => line.endsWith('/')).length;
  const size = `${plural(toFiles(listing).length, 'file')} in ${plural(folders, 'folder')}`;
  return lines.every((line) => entry.test(line)) ? size : `at least ${size} (the listing was cut)`;
}

/** Such as `12 .ts, 3 .md`: the most frequent first. */
const countTypes = (files: readonly string[]): string =>
  [...Map.groupBy(files, (file) => extname(file) || 'without extension')]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, 4)
    .map(([type, { length }]) => `${length} ${type}`)
    .join(', ');

/** A row for each folder of the root, and `./` for its own files. */
function renderFolders(listing: string): string {
  const trees = listing.split(/\n(?! {2})/);
  const rows = [...Map.groupBy(trees, (tree) => /^.+\/(?=\n)/.exec(tree)?.[0] ?? './')]
    .map(([folder, parts]) => ({ folder, files: toFiles(parts.join('\n')) }))
    .filter(({ files }) => files.length > 0)
    .toSorted((a, b) => b.files.length - a.files.length)
    .map(({ folder, files }) => `| ${quote(folder)} | ${files.length} | ${countTypes(files)} |`);
  return rows.length === 0
    ? ''
    : ['| folder | files | types |', '| --- | ---: | --- |', ...rows].join('\n');
}

function renderScripts(manifest: string): string {
  try {
    const { scripts = {} } = JSON.parse(manifest) as { scripts?: Record<string, string> };
    return Object.entries(scripts)
      .map(([name, command]) => `- \`npm run ${name}\`: \`${quote(command)}\``)
      .join('\n');
  } catch {
    return ''; // Long results are cut.
  }
}

/** Sections without a result are left out. */
export function renderPage(results: readonly Result[]): string {
  const others = results.filter(({ of }) => of !== pageName);
  const textOf = (pattern: RegExp): string =>
    others.find(({ of, state }) => state === 'ok' && pattern.test(of))?.text ?? '';
  const listing = textOf(/^\.$/);
  const readme = textOf(/^readme/i);
  const scripts = renderScripts(textOf(/^package\.json$/));
  const commits = others.find(({ tool }) => tool === 'run_command')?.text.replace(/^exit .*\n/, '');
  const unlisted = new Set(listing.match(/[^ \n]+\/(?= \(not listed\)$)/gm));
  const calls = others.map(({ tool, of, state }) => `\`${tool} ${of}\` (${state})`);
  const sections = [
    `# ${quote(/^# +(.+)$/m.exec(readme)?.[1] ?? 'Workspace')}`,
    quote(readme.split(/\n\s*\n/).find((block) => /^[*_"]*\p{L}/u.test(block)) ?? ''),
    `${renderSize(listing)}, not counting ${list.format([pageName, 'links', ...unlisted])}.`,
    renderFolders(listing),
    scripts && `## Scripts\n\n${scripts}`,
    commits && `## Recent commits\n\n${commits.trimEnd().replaceAll(/^/gm, '    ')}`,
    `Written by the demo model of dev-agent, a small program that only repeats what its tools returned: ${list.format(calls)}.`,
  ];
  return `${sections.filter(Boolean).join('\n\n')}\n`;
}
