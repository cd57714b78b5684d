import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { toEntry } from '../policies/grants/always.ts';
import type { Grant, ProposedGrant } from '../policies/grants/grant.ts';
import { replaceText, toTempName } from './temporary.ts';

const header = `# What you allowed with "agent approve --always": each rule answers one question of your policy, for exactly
# one action in one folder. It is part of your policy and takes effect once it is in force: agent policies reload.
# Remove a rule: agent policies forget <id>. See docs/operations.md, "Always allowing an action".
`;

/** The file's text with these rules. */
export const renderAlways = (grants: readonly Grant[]): string =>
  header + stringify({ version: 1, rules: grants.map(toEntry) }, { lineWidth: 0 });

/** Writes the file, readable by its owner only; removes it if there are no rules. */
export async function writeAlways(file: string, grants: readonly Grant[]): Promise<void> {
  if (grants.length === 0) return await rm(file, { force: true });
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceText(join(folder, toTempName()), file, renderAlways(grants));
}

/** Gives new rules names that are not yet in the file. */
export function nameGrants(
  known: readonly Grant[],
  proposed: readonly ProposedGrant[],
  by: string,
): Grant[] {
  const last = Math.max(0, ...known.map(({ id }) => Number(id.replace('always-', ''))));
  const time = new Date().toISOString();
  return proposed.map((grant, index) => ({ ...grant, id: `always-${last + 1 + index}`, by, time }));
}
