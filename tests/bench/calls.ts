/** What the transaction adds to a tool call. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { performAction } from '../../activities/act/act.ts';
import type { ActDependencies } from '../../activities/act/call.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import { runCommandLine } from '../../activities/sandbox/shell.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { toStateFolders } from '../../config/folders.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { parseCommand } from '../../policies/commands/shell.ts';
import { pathOf, plantForest } from './forest.ts';
import { inTurn, timeOf } from './measure.ts';
import type { Row } from './measure.ts';
import { builtIn } from '../../tools/built-in.ts';

const times = 15;
const openGuard = { isHidden: () => false, isProtected: () => false };
const command = 'echo x >> log';
const { signal } = new AbortController();

/** A workspace in the hands of a run, and what is to be measured in it. */
async function openRoom(root: string, files: number) {
  const workspace = join(root, `forest-${files}`);
  plantForest(workspace, files);
  const folders = toStateFolders(join(root, `state-${files}`));
  const anchors = createAnchors(folders.root, join(root, 'audit.pem'));
  const bundle = await readPolicyBundle(fileURLToPath(new URL('../../policies/', import.meta.url)));
  const dependencies: ActDependencies = {
    tools: builtIn,
    blobs: createBlobStore(folders.blobs),
    audit: createAuditLog(folders.audit, undefined, anchors),
    policy: () => Promise.resolve(bundle),
    sandbox: await probeSandbox('auto', join(folders.root, 'sandbox')),
    approvers: () => [],
    transactions: createTransactions(createLeases(folders.leases), folders.snapshots),
    spillDir: join(folders.root, 'spill'),
  };
  await dependencies.transactions.leases.claim(workspace, 'bench', () => Promise.resolve(false));
  const others = openSnapshots(join(root, `others-${files}`), workspace, 'bench');
  await others.capture();
  let seq = 0;
  let tree: string | undefined;
  const act = async (tool: string, args: Record<string, unknown>): Promise<void> => {
    seq += 1;
    const acted = await performAction(dependencies, {
      run: 'bench',
      step: 's1',
      seq,
      call: `c${seq}`,
      tool,
      args,
      workspace,
      signal,
      tree,
    });
    if (!acted.ok) throw new Error(acted.text);
    ({ tree } = acted);
  };
  const path = pathOf(files / 2);
  await act('write_file', { path, content: 'first\n' });
  await act('run_command', { command });
  return {
    write: () => timeOf(() => act('write_file', { path, content: `write ${seq}\n` })),
    run: () => timeOf(() => act('run_command', { command })),
    runBare: () =>
      timeOf(() =>
        runCommandLine(parseCommand(command), {
          root: workspace,
          sandbox: dependencies.sandbox,
          timeoutMs: 60_000,
          signal,
          maxOutputBytes: 1_000_000,
          spillDir: dependencies.spillDir,
          guard: openGuard,
          authorize: () => undefined,
        }),
      ),
    capture: () => timeOf(() => others.capture()),
    close: () => dependencies.audit.close(),
  };
}

export async function measureCalls(): Promise<Row[]> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-bench-')));
  try {
    const small = await openRoom(root, 1_000);
    const large = await openRoom(root, 100_000);
    const [inLarge, inSmall] = await inTurn(times, [large.write, small.write]);
    const rows: Row[] = [
      {
        name: 'write_file among 100k files / among 1k',
        ours: inLarge,
        baseline: inSmall,
        unit: 'ms',
        limit: 1.5,
      },
    ];
    for (const [name, room] of [
      ['1k', small],
      ['100k', large],
    ] as const) {
      const [call, bare, capture] = await inTurn(times, [room.run, room.runBare, room.capture]);
      rows.push({
        name: `run_command among ${name} files / bare command + one capture`,
        ours: call,
        baseline: bare + capture,
        unit: 'ms',
        limit: 1.3,
        note: `command ${bare.toFixed(1)} ms, capture ${capture.toFixed(1)} ms`,
      });
    }
    await Promise.all([small.close(), large.close()]);
    return rows;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
