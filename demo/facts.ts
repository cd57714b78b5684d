/** Tool results → what can be said of the workspace. A fact with no result behind it is absent. */
import type { Count, Listing } from './listing.ts';
import { countExtensions, countTopFolders, pageName, parseListing } from './listing.ts';
import type { Observed } from './observed.ts';

export interface Facts {
  readonly name?: string;
  readonly description?: string;
  readonly listing: Listing;
  readonly extensions: readonly Count[];
  readonly topFolders: readonly Count[];
  readonly scripts: readonly (readonly [name: string, command: string])[];
  readonly command?: CommandResult;
  /** Files that were read. */
  readonly sources: readonly string[];
}

export interface CommandResult {
  readonly line: string;
  readonly ok: boolean;
  readonly output: string;
}

const isReadme = (file: string): boolean => /^readme/i.test(file);

interface About {
  readonly name?: string;
  readonly description?: string;
  readonly scripts?: Facts['scripts'];
}

const pathOf = ({ args }: Observed): string => args['path'] ?? '';

function readPackageJson(text: string): About {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const scripts = Object.entries((value['scripts'] ?? {}) as Record<string, unknown>);
    return {
      name: typeof value['name'] === 'string' ? value['name'] : undefined,
      description: typeof value['description'] === 'string' ? value['description'] : undefined,
      scripts: scripts.map(([name, command]) => [name, String(command)] as const),
    };
  } catch {
    // A file cut by the tool still shows its first lines.
    return readAssignments(text, /^\s*"(name|description)"\s*:\s*"([^"]*)"/gm);
  }
}

function readAssignments(text: string, pattern: RegExp): About {
  const found: Record<string, string> = {};
  for (const [, key = '', value = ''] of text.matchAll(pattern)) found[key] ??= value;
  return { name: found['name'], description: found['description'] };
}

/** Heading and first paragraph of a Markdown text; badges, HTML and code are no prose. */
function readReadme(text: string): About {
  const name = /^#\s+(.+)$/m.exec(text)?.[1]?.trim();
  const prose = text
    .replace(/```[\s\S]*?(```|$)/g, '')
    .split(/\n\s*\n/)
    .map((block) => block.trim().replaceAll(/\s*\n\s*/g, ' '))
    .find((block) => /^[\p{L}\p{N}"*_`]/u.test(block));
  return { name, description: prose };
}

function readAbout(file: string, text: string): About {
  if (isReadme(file)) return readReadme(text);
  if (file.endsWith('.json')) return readPackageJson(text);
  if (file === 'go.mod') {
    const name = /^module\s+(\S+)/m.exec(text)?.[1];
    return name === undefined ? {} : { name };
  }
  return readAssignments(text, /^(name|description)\s*=\s*"([^"]*)"/gm);
}

/** Manifests say the name better than a heading, so the README is asked last. */
export function readFacts(seen: readonly Observed[]): Facts {
  const listed = seen.findLast(({ tool, ok }) => tool === 'list_files' && ok);
  const listing = parseListing(listed?.text ?? '');
  const reads = seen.filter(({ tool, ok }) => tool === 'read_file' && ok);
  const abouts = reads
    .filter((read) => pathOf(read) !== pageName)
    .toSorted((a, b) => Number(isReadme(pathOf(a))) - Number(isReadme(pathOf(b))))
    .map((read) => readAbout(pathOf(read), read.text));
  const name = abouts.find((about) => about.name !== undefined)?.name;
  const description = abouts.find((about) => about.description !== undefined)?.description;
  const command = seen.findLast(({ tool }) => tool === 'run_command');
  return {
    name,
    description,
    listing,
    extensions: countExtensions(listing),
    topFolders: countTopFolders(listing),
    scripts: abouts.flatMap((about) => about.scripts ?? []),
    command:
      command === undefined
        ? undefined
        : { line: command.args['command'] ?? '', ok: command.ok, output: command.text },
    sources: reads.map(pathOf).filter((path) => path !== pageName),
  };
}
