/** Options for starting a run, shared by `run`, `fork` and `restore`. */
import type { Limits } from '../policies/action.ts';
import type { ApprovalMode } from '../workflows/contract.ts';
import { runIdPattern } from '../client/run-id.ts';
import type { Given } from './command.ts';
import { usageError } from './errors.ts';
import { folderOption, parseCount } from './values.ts';

const limit = (of: string) => ({ value: 'n', help: `stop after n ${of}`, parse: parseCount });

export const runOptions = {
  directory: folderOption,
  model: { value: 'model', short: 'm', help: 'model for every role of this run' },
  detach: { help: 'print the run id and return at once' },
  demo: { help: 'use the demo model: no model server needed' },
  approve: {
    value: 'ask|auto|deny',
    help: 'who answers when the policy asks; default: ask you',
    parse: parseApprove,
  },
  'max-steps': limit('steps'),
  'max-tokens': limit('tokens'),
  'max-minutes': limit('minutes of work'),
  'max-usd': {
    value: 'n',
    help: 'stop after n US dollars, for models with a price in tools.yaml',
    parse: parseUsd,
  },
  'max-tool-calls': limit('tool calls'),
  'max-model-calls': limit('answers of models'),
  id: { value: 'name', help: 'name of the run; default: a generated one', parse: parseRunId },
  wait: { help: 'wait while another run has the workspace' },
};

export type RunOptions = Omit<Given<typeof runOptions>, 'directory'>;

/** The limits given. */
export function toLimits(options: RunOptions): Partial<Limits> {
  const limits = {
    steps: options['max-steps'],
    toolCalls: options['max-tool-calls'],
    modelCalls: options['max-model-calls'],
    tokens: options['max-tokens'],
    minutes: options['max-minutes'],
    usd: options['max-usd'],
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function parseUsd(text: string, name: string): number {
  const usd = /^\d{1,6}(\.\d{1,4})?$/.test(text) ? Number(text) : 0;
  if (usd > 0) return usd;
  throw usageError(`${name} must be an amount of US dollars such as 2.50, got "${text}".`);
}

function parseApprove(text: string): ApprovalMode {
  if (text === 'ask' || text === 'auto' || text === 'deny') return text;
  throw usageError(`--approve must be ask, auto or deny, got "${text}".`);
}

function parseRunId(text: string): string {
  if (runIdPattern.test(text)) return text;
  throw usageError(
    `--id must be 1 to 40 lower-case letters, digits and dashes, not starting with a dash, got "${text}".`,
  );
}
