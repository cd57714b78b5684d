import { printProgress } from '../render/output.ts';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { asStored } from '../../policies/secrets/redaction.ts';
import type { Trail } from '../../audit/events/trail.ts';
import { defineCommand } from '../command.ts';
import { CliError, usageError } from '../errors.ts';
import { launchRun, readRunSettings } from '../launch.ts';
import { connectRunning, withClient } from '../../client/connect.ts';
import { runOptions } from '../run-options.ts';
import { requireAllowed } from '../values.ts';

/**
 * `agent restore`: continues a run from its log and blobs alone, on any Temporal server. It gets a new name, so that
 * the old log stays unchanged.
 */
export const command = defineCommand({
  options: runOptions,
  example: `agent restore run-brave-otter-4f2a.jsonl`,
  streams: true,
  async run({ args, options, json }) {
    const settings = readRunSettings(options, options.directory);
    const { root } = settings.folders;
    const given = toFile(root, args[0] ?? '');
    const trail = given.endsWith('.tgz')
      ? await readBundle(root, given)
      : await readVerified(given);
    const { input, point, ended } = trail;
    if (ended) {
      throw usageError(
        `Run ${input.run} has ended. To continue from one of its steps: agent fork ${input.run} --step 1`,
      );
    }
    const client = await connectRunning(settings);
    if (client !== undefined) {
      const known = await withClient(client, () => client.describe(input.run));
      if (known?.open === true) {
        throw usageError(
          `Run ${input.run} is open on the Temporal server at ${client.address}. Watch it: agent attach ${input.run}`,
        );
      }
    }
    prepareStateFolder(root);
    if (options.directory !== undefined) requireAllowed(settings.workspace, settings);
    const run = toNewName(root, input.run);
    printProgress(`Run ${input.run} continues as ${run}`);
    const otherModel = options.model !== undefined || options.demo === true;
    return await launchRun(settings, options, json, {
      run,
      goal: input.goal,
      workspace: options.directory === undefined ? input.workspace : settings.workspace,
      stagedFrom: options.directory === undefined ? input.stagedFrom : undefined,
      limits: input.limits,
      approve: options.approve ?? input.approve,
      models: otherModel ? undefined : input.models,
      from: { kind: 'restore', run: input.run, workspace: input.workspace, tree: point?.tree },
      carried: point,
    });
  },
});

/** A file, or the name of a run with a log. */
function toFile(root: string, typed: string): string {
  const log = toRunLog(root, typed);
  if (/^[a-z0-9-]+$/.test(typed) && existsSync(log)) return log;
  if (existsSync(typed)) return resolve(typed);
  throw usageError(
    `"${typed}" is neither a log (run-<id>.jsonl), an export (.tgz), nor a run with a log in ${toStateFolders(root).root}.`,
  );
}

/** Verifies a bundle from `agent audit export` and adds its blobs to the local ones. */
async function readBundle(root: string, file: string): Promise<Trail> {
  const [{ readExport }, { createBlobStore, hashOf }] = await Promise.all([
    import('../../audit/export/export.ts'),
    import('../../audit/record/blobs.ts'),
  ]);
  const temp = await mkdtemp(join(tmpdir(), 'dev-agent-restore-'));
  const folder = join(temp, 'bundle');
  try {
    const { manifest } = await readExport(file, folder);
    const blobs = createBlobStore(toStateFolders(root).blobs, asStored);
    for (const { path } of manifest.files) {
      if (!path.startsWith('blobs/')) continue;
      const content = await readFile(join(folder, path));
      if (`blobs/${blobPath(hashOf(content))}` === path) await blobs.put(content);
    }
    return await readVerified(join(folder, `run-${manifest.run}.jsonl`));
  } catch (error) {
    if ((error as Error).name === 'BundleError') throw new CliError((error as Error).message, 1);
    throw error;
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

const blobPath = (sha256: string): string => `sha256/${sha256.slice(0, 2)}/${sha256.slice(2)}`;

async function readVerified(file: string): Promise<Trail> {
  const [{ verifyChain }, { readTrail }] = await Promise.all([
    import('../../audit/record/chain.ts'),
    import('../../audit/events/trail.ts'),
  ]);
  const trail = await readTrail(file);
  if (trail === undefined) throw usageError(`${file} holds no start of a run.`);
  const verified = await verifyChain(file, `run ${trail.input.run}`);
  if (verified.ok) return trail;
  throw new CliError(
    `${file}:${verified.line} ${verified.why}. A log that was changed is not continued.`,
    1,
  );
}

function toNewName(root: string, run: string): string {
  const base = run.replace(/-r\d+$/, '').slice(0, 36);
  for (let number = 2; ; number++) {
    const name = `${base}-r${number}`;
    if (!existsSync(toRunLog(root, name))) return name;
  }
}
