/** What a person allowed always: shown before it is written, written and put in force as one, and reverted. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { releaseLock, waitForLock } from '../audit/record/lock.ts';
import { nameGrants, writeAlways } from '../config/always.ts';
import type { Settings } from '../config/environment.ts';
import type { Activation } from '../config/policy-in-force.ts';
import { prepareStateFolder } from '../config/state-folder.ts';
import type { Grant, Granted, ProposedGrant } from '../policies/grants/grant.ts';
import { activatePolicy } from '../client/policy/activate.ts';
import { showControls } from './clean.ts';
import { usageError } from './errors.ts';
import { readBundle } from '../client/policy/bundle.ts';
import { readStack } from '../client/stack/stack.ts';
import { withPolicyOf } from '../client/stack/settings.ts';
import type { Style } from './render/style.ts';

const patienceMs = 10_000;

/** Writes rules beside those there are and puts the policy in force. @throws CliError exit 78; nothing has changed then. */
export const addRules = (
  settings: Settings,
  proposed: readonly ProposedGrant[],
  by: string,
): Promise<RulesActivation> =>
  rewrite(settings, by, (known) => {
    const rules = nameGrants(known, proposed, by);
    return { rules, all: [...known, ...rules], change: { added: rules.map(({ id }) => id) } };
  });

/** Takes one rule back, and puts the policy in force without it. @throws CliError exit 2 when there is no such rule. */
export const forgetRule = (settings: Settings, id: string, by: string): Promise<RulesActivation> =>
  rewrite(settings, by, (known) => {
    const all = known.filter((rule) => rule.id !== id);
    if (all.length < known.length)
      return { rules: known.filter((rule) => rule.id === id), all, change: { removed: [id] } };
    const ids = known.map((rule) => rule.id).join(', ');
    throw usageError(
      `There is no rule "${id}" in ${settings.always}; ${ids === '' ? 'it has none' : `it has ${ids}`}.`,
    );
  });

export interface RulesActivation extends Activation {
  /** Those that came or went. */
  readonly rules: readonly Grant[];
}

interface Edit {
  readonly rules: readonly Grant[];
  readonly all: readonly Grant[];
  readonly change: Parameters<typeof activatePolicy>[2];
}

/** One writer at a time: what another has added meanwhile is kept. */
async function rewrite(
  own: Settings,
  by: string,
  edit: (known: readonly Grant[]) => Edit,
): Promise<RulesActivation> {
  // Rules go where the running stack reads them.
  const settings = withPolicyOf(readStack(own), own);
  const { always, folders } = settings;
  await mkdir(dirname(always), { recursive: true, mode: 0o700 });
  prepareStateFolder(folders.root);
  const lock = `${always}.lock`;
  await waitForLock(lock, patienceMs);
  try {
    const { grants: known } = (await readBundle(settings, null)).policy;
    const { rules, all, change } = edit(known);
    await writeAlways(always, all);
    try {
      return { ...(await activatePolicy(settings, by, change)), rules };
    } catch (error) {
      await writeAlways(always, known);
      throw error;
    }
  } finally {
    releaseLock(lock);
  }
}

/** Nothing that is shown may hide or reorder text: what a person reads is what they allow. */
export const isShownWhole = ({ granted, workspace }: ProposedGrant): boolean => {
  const text = JSON.stringify([granted, workspace]);
  return showControls(text) === text;
};

/** Each rule with all it says, and its examples. Pure. */
export const renderRules = (rules: readonly ProposedGrant[], style: Style): string[] =>
  rules.flatMap((rule) => {
    const { tool, granted, workspace, lifts, match, notMatch } = rule;
    const rows: (readonly [string, readonly string[]])[] = [
      ['allow', toLines(renderGranted(tool, granted))],
      ['in', [workspace + ('cwd' in granted && granted.cwd !== '.' ? `/${granted.cwd}` : '')]],
      ['though', lifts.map((id) => `${id} asks`)],
      ['so', match.flatMap((example) => toLines(example))],
      ['but not', notMatch.flatMap((example) => toLines(example))],
    ];
    return rows.flatMap(([name, lines]) =>
      lines.map((line, index) => `    ${style.dim((index === 0 ? name : '').padEnd(8))}${line}`),
    );
  });

function renderGranted(tool: string, granted: Granted): string {
  switch (granted.kind) {
    case 'command':
      return `the command ${JSON.stringify(granted.argv)}`;
    case 'text':
      return `the text ${granted.text}`;
    case 'file':
      return `${tool} ${granted.path}, with any content`;
    case 'call':
      return `${tool} ${JSON.stringify(granted.args)}`;
  }
}

const toLines = (text: string): string[] => showControls(text).split('\n');
