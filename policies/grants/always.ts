import { z } from 'zod';
import type { Grant, Granted } from './grant.ts';
import { readSection } from '../section.ts';
import type { PolicyProblem } from '../yaml.ts';

const line = z.string().min(1).max(500);
const words = z.string().max(262_144);
/** Rules a grant may lift. Never: workspace wishes, variables, untrusted text, the sandbox. */
const liftable = /^(?:shell|(?:commands|paths|tools)\.[^\s]+)$/;

/** True for a rule from the operator's lists, whose `ask` a grant can lift. */
export const isLiftable = (rule: string): boolean => liftable.test(rule);

const entry = z
  .strictObject({
    id: z.string().regex(/^always-[1-9]\d{0,8}$/, 'it is always- and a number'),
    workspace: z.string().regex(/^\/(?:.*[^/])?$/s, 'it is the absolute path of a folder'),
    tool: line,
    argv: z.array(words).min(1).optional(),
    script: words.optional(),
    path: words.optional(),
    args: z.record(z.string(), z.unknown()).optional(),
    cwd: words.optional(),
    lifts: z
      .array(z.string().regex(liftable, 'no grant lifts what this rule asks'))
      .min(1, 'it lifts at least one rule'),
    match: z.array(z.string()).min(1),
    not_match: z.array(z.string()).min(1),
    by: line,
    time: line,
  })
  .superRefine((rule, context) => {
    if (toGranted(rule) !== undefined) return;
    context.addIssue({
      code: 'custom',
      message: `${rule.id} names no action`,
      params: {
        expected:
          'argv and cwd, or script and cwd, for a command; path for a file; args for any other call',
      },
    });
  });

const schema = z.strictObject({ version: z.literal(1), rules: z.array(entry).max(10_000) });

/** The grants that `approve --always` wrote to `always.yaml`. */
export type AlwaysFile = z.infer<typeof schema>;
type Entry = AlwaysFile['rules'][number];

/** Parses `always.yaml`; mistakes go to `problems`. */
export function parseGrants(file: string, text: string, problems: PolicyProblem[]): Grant[] {
  const read = readSection(file, text, schema, problems);
  if (read === undefined) return [];
  const { rules } = read.value;
  for (const [index, { id }] of rules.entries())
    if (rules.findIndex((rule) => rule.id === id) < index)
      read.report(['rules', index, 'id'], `${id} is the name of two rules`, 'a unique name');
  return rules.map((rule) => ({
    id: rule.id,
    workspace: rule.workspace,
    tool: rule.tool,
    lifts: rule.lifts,
    match: rule.match,
    notMatch: rule.not_match,
    by: rule.by,
    time: rule.time,
    granted: toGranted(rule) as Granted,
  }));
}

type About = Pick<Entry, 'argv' | 'script' | 'path' | 'args' | 'cwd'>;

/** Running the examples shows whether the tool is of that kind. */
function toGranted({ argv, script, path, args, cwd }: About): Granted | undefined {
  const said = [argv, script, path, args].filter((value) => value !== undefined);
  if (said.length !== 1) return undefined;
  if (cwd !== undefined) {
    if (argv !== undefined) return { kind: 'command', argv, cwd };
    return script === undefined ? undefined : { kind: 'text', text: script, cwd };
  }
  if (path !== undefined) return { kind: 'file', path };
  return args === undefined ? undefined : { kind: 'call', args };
}

/** The inverse: a grant as written to the file. */
export const toEntry = ({ id, workspace, tool, granted, lifts, ...rest }: Grant): Entry => ({
  id,
  workspace,
  tool,
  ...toAbout(granted),
  lifts: [...lifts],
  match: [...rest.match],
  not_match: [...rest.notMatch],
  by: rest.by,
  time: rest.time,
});

function toAbout(granted: Granted): About {
  switch (granted.kind) {
    case 'command':
      return { argv: [...granted.argv], cwd: granted.cwd };
    case 'text':
      return { script: granted.text, cwd: granted.cwd };
    case 'file':
      return { path: granted.path };
    case 'call':
      return { args: { ...granted.args } };
  }
}
