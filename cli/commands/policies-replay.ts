import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { PastDecision } from '../../audit/events/decisions.ts';
import type { Settings } from '../../config/environment.ts';
import { readSettings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import type { Decision } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import type { Policy } from '../../policies/policy.ts';
import { stepUp } from '../../policies/untrusted/untrusted.ts';
import { builtIn } from '../../tools/built-in.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { CliError, usageError } from '../errors.ts';
import { printJson, printText } from '../render/output.ts';
import { readBundle } from '../../client/policy/bundle.ts';
import { runIdPattern } from '../../client/run-id.ts';
import { parseFolder } from '../values.ts';
import { plural } from '../render/render.ts';

interface Replayed extends Omit<PastDecision, 'args'> {
  /** Absent if the action cannot be judged again. */
  readonly now?: Pick<Decision, 'verdict' | 'rule' | 'reason'>;
  /** Why not. */
  readonly unknown?: string;
  readonly changed: boolean;
}

/**
 * `agent policies replay`: which decisions of a run another bundle would change, from its log and blobs alone. Exit 0
 * if none, 1 if some, 2 if there is no such log.
 */
export const command = defineCommand({
  options: {
    policies: {
      value: 'dir',
      help: 'the other policy; default: the one in force',
      parse: parseFolder,
    },
  },
  example: `agent policies replay brave-otter-4f2a --policies ./stricter`,
  async run({ args, options, json }) {
    const settings = readSettings();
    const typed = args[0] ?? '';
    const policiesDir = options.policies ?? settings.policiesDir;
    const { policy, dir, sha256, preset } = await readBundle({ ...settings, policiesDir }, null);
    const past = await readPast(settings, typed);
    const replayed = past.map((decision) => judgeAgain(policy, decision));
    const changed = replayed.filter((each) => each.changed);
    const unknown = replayed.filter((each) => each.unknown !== undefined);
    if (json) {
      printJson({
        source: typed,
        policy: { dir, sha256, preset },
        decisions: replayed.length,
        changed: changed.length,
        unknown: unknown.length,
        actions: replayed,
      });
    } else {
      for (const each of [...changed, ...unknown]) printText(renderReplayed(each));
      const rest = unknown.length === 0 ? '' : `, ${unknown.length} cannot be judged again`;
      printText(
        `${changed.length} of ${plural(replayed.length, 'decision')} would be different under ${dir} (sha256 ${sha256.slice(0, 12)}…)${rest}.`,
      );
    }
    return changed.length === 0 ? 0 : 1;
  },
});

function judgeAgain(policy: Policy, { args, ...past }: PastDecision): Replayed {
  if (args === undefined)
    return { ...past, changed: false, unknown: 'its arguments are no longer stored' };
  if (past.rule.startsWith('sandbox.'))
    return { ...past, changed: false, unknown: 'the machine decided, not the policy' };
  const { tool, workspace } = past;
  const action = builtIn.toAction({ tool, args, workspace });
  const { verdict, rule, reason } = stepUp(decide(policy, action), policy, action, past.untrusted);
  return { ...past, now: { verdict, rule, reason }, changed: verdict !== past.verdict };
}

const renderReplayed = ({ step, seq, tool, preview, verdict, rule, now, unknown }: Replayed) => {
  const then = `${verdict} (${rule})`;
  const result =
    now === undefined ? `${then}; ${unknown}` : `${then} → ${now.verdict} (${now.rule})`;
  return `${step} #${seq} ${tool}: ${toLine(preview, 100)}\n    ${result}`;
};

/** Past decisions from a run's log, a log file or an export. */
async function readPast({ folders }: Settings, typed: string): Promise<readonly PastDecision[]> {
  const log = toRunLog(folders.root, typed);
  if (runIdPattern.test(typed) && existsSync(log)) return await readLog(log, folders.blobs);
  if (!existsSync(typed)) {
    throw usageError(
      `"${typed}" is neither a log (run-<id>.jsonl), an export (.tgz), nor a run with a log. All runs: agent list`,
    );
  }
  const file = resolve(typed);
  if (file.endsWith('.tgz')) return await readExported(file);
  const beside = join(dirname(file), 'blobs');
  return await readLog(file, existsSync(beside) ? beside : folders.blobs);
}

async function readLog(file: string, blobsDir: string): Promise<readonly PastDecision[]> {
  const [{ createBlobStore }, { verifyChain }, { readDecisions }] = await Promise.all([
    import('../../audit/record/blobs.ts'),
    import('../../audit/record/chain.ts'),
    import('../../audit/events/decisions.ts'),
  ]);
  const found = await readDecisions(file, createBlobStore(blobsDir));
  if (found === undefined) throw usageError(`${file} holds no start of a run.`);
  const verified = await verifyChain(file, `run ${found.run}`);
  if (verified.ok) return found.decisions;
  throw usageError(
    `${file}:${verified.line} ${verified.why}. A log that was changed proves nothing.`,
  );
}

async function readExported(file: string): Promise<readonly PastDecision[]> {
  const { readExport } = await import('../../audit/export/export.ts');
  const temp = await mkdtemp(join(tmpdir(), 'dev-agent-replay-'));
  try {
    const folder = join(temp, 'bundle');
    const { manifest } = await readExport(file, folder);
    return await readLog(join(folder, `run-${manifest.run}.jsonl`), join(folder, 'blobs'));
  } catch (error) {
    if ((error as Error).name === 'BundleError') throw new CliError((error as Error).message, 1);
    throw error;
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}
