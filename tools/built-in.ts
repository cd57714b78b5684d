/** The tools of this folder: every file that exports one. A new tool is a new file here and its executor; no list names it. */
// oxlint-disable-next-line no-restricted-imports -- it looks at its own folder, and at nothing else
import { readdirSync } from 'node:fs';
import { createRegistry } from './registry.ts';
import type { Tool } from './tool.ts';

const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'built-in.ts')
  .toSorted();
const modules = await Promise.all(
  files.map(async (name) => (await import(`./${name}`)) as { readonly tool?: Tool }),
);

/** First what only looks, then what changes something, then what the workflow itself carries out. */
const toRank = ({ control, effect }: Tool): number =>
  control !== undefined ? 2 : effect === 'pure' ? 0 : 1;

export const builtInTools: readonly Tool[] = modules
  .flatMap(({ tool }) => tool ?? [])
  .toSorted((a, b) => toRank(a) - toRank(b));

/** A run without tools of its own. */
export const builtIn = createRegistry(builtInTools);
