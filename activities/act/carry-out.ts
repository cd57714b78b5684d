import { lstatSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import type { Action } from '../../policies/action.ts';
import { createChangeJudge } from '../../policies/paths/changes.ts';
import type { JudgeChange } from '../../policies/paths/changes.ts';
import { prepareArgv } from '../../policies/commands/prepare-argv.ts';
import { liftPath } from '../../policies/grants/grants.ts';
import { hasNetwork } from '../../policies/network/network.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { serveLink } from '../network/link.ts';
import { createProxy } from '../network/proxy.ts';
import { deleteFile, editText, readText, writeText } from '../files/files.ts';
import type { Authorize } from '../files/files.ts';
import { refuseGitFolderByFile } from '../sandbox/git/by-file.ts';
import { listFiles } from '../files/list.ts';
import { searchFiles } from '../files/search.ts';
import { hashRegular } from '../files/regular.ts';
import { runCommandLine } from '../sandbox/shell.ts';
import { lookAtPlaces } from '../sandbox/sights.ts';
import { markName } from '../snapshots/git.ts';
import { dependencyFolders } from '../snapshots/coverage.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';
import { guardOf } from '../sandbox/guard.ts';
import { toShortDiff } from './details.ts';
import { Rejudged, failed, toOutcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { ToolContext } from './tool-context.ts';
import { maxHashedBytes } from './versions.ts';
import type { Seen } from './versions.ts';

const defaultTimeoutSeconds = 120;
const maxEntries = 1_000;

const changing: ReadonlySet<string> = new Set(['write_file', 'edit_file', 'delete_file']);

/** Knows symlinks to protected names and folders git takes hooks from. */
const createJudge = async (policy: Policy, workspace: string): Promise<JudgeChange> =>
  createChangeJudge(policy, {
    ...(await lookAtPlaces(workspace, guardOf(policy))),
    fetched: new Set(dependencyFolders),
  });

/** Executes an action the policy allows. @throws Rejudged, and anything that is not the tool's own failure. */
export async function carryOut(
  { tool, args, workspace }: Action,
  context: ToolContext,
): Promise<Outcome> {
  const { policy, approved, blobs, sandbox, signal, lease, check } = context;
  const judgeChange = changing.has(tool) ? await createJudge(policy, workspace) : undefined;
  const authorize: Authorize = (operation, path) => {
    const isChange = operation === 'write' || operation === 'delete';
    const elsewhere = isChange && judgeChange?.({ names: path.split('/'), operation });
    const found = decidePath(policy, operation, path);
    for (const each of elsewhere ? [found, elsewhere] : [found]) {
      const decision = liftPath(policy, { tool, workspace }, path, each);
      if (decision.verdict === 'deny' || (decision.verdict === 'ask' && !approved))
        throw new Rejudged(decision);
    }
  };
  const text = (key: string): string => args[key] as string;
  const path = typeof args['path'] === 'string' ? args['path'] : '.';
  const reading = { maxBytes: policy.paths.readBytes, authorize };
  const writing = {
    maxBytes: policy.paths.writeBytes,
    // The last check before a file is changed.
    authorize: ((operation, at) => {
      authorize(operation, at);
      if (operation === 'write') refuseGitFolderByFile(workspace, at);
      lease?.check();
    }) satisfies Authorize,
    check,
  };
  const diff = changing.has(tool) ? toShortDiff(policy, { tool, args, workspace }) : undefined;
  let seen: Seen | undefined;
  const see = (at: string, sha256: string): void => void (seen = { path: at, sha256 });
  const toSeen = () => (seen === undefined ? {} : { seen });
  try {
    switch (tool) {
      case 'list_files': {
        const depth = (args['depth'] as number | undefined) ?? 3;
        return toOutcome(listFiles(workspace, path, { depth, maxEntries: maxEntries, authorize }));
      }
      case 'read_file': {
        const lines = args as { startLine?: number; endLine?: number };
        let redacted = 0;
        const mask = (whole: string): string => {
          const found = context.redactor.redact(whole);
          redacted = found.count;
          return found.text;
        };
        return {
          ...toOutcome(readText(workspace, path, { ...reading, ...lines, mask, seen: see })),
          ...toSeen(),
          redacted,
        };
      }
      case 'search': {
        const at = walk(workspace, path, false, (place) => {
          authorize('list', place.path);
          return place.path;
        });
        const hidden = policy.paths.read
          .filter(({ verdict }) => verdict !== 'allow')
          .flatMap(({ globs }) => globs.map((glob) => glob.text));
        const glob = args['glob'] as string | undefined;
        const options = {
          root: workspace,
          path: at,
          pattern: text('pattern'),
          hidden,
          sandbox,
          signal,
        };
        return toOutcome(await searchFiles({ ...options, glob }));
      }
      case 'write_file': {
        const change = writeText(workspace, path, text('content'), writing);
        const verb = change.before === null ? 'Created' : 'Replaced';
        return {
          ...toOutcome(`${verb} ${change.path}, ${change.bytes} bytes.`),
          changed: [change.path],
          diff,
          seen: { path: change.path, sha256: change.after },
        };
      }
      case 'edit_file': {
        const edit = { old: text('old'), new: text('new'), all: args['all'] === true };
        const change = editText(workspace, path, edit, writing);
        const places = change.count === 1 ? 'one place' : `${change.count} places`;
        return {
          ...toOutcome(`Edited ${change.path} in ${places}.`),
          changed: [change.path],
          diff,
          seen: { path: change.path, sha256: change.after },
        };
      }
      case 'delete_file': {
        const change = deleteFile(workspace, path, writing);
        return {
          ...toOutcome(`Deleted ${change.path}.`),
          changed: [change.path],
          diff,
          seen: { path: change.path, sha256: null },
        };
      }
      case 'read_blob': {
        const { start = 0, end } = args as { start?: number; end?: number };
        return toOutcome((await blobs.getText(text('ref'))).slice(start, end));
      }
      case 'run_command':
        return await runCommand(args, workspace, authorize, context);
      default:
        return failed(`There is no tool ${tool}.`);
    }
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    // The version counts as known even if the content cannot be shown: the file may be replaced or deleted.
    if (tool === 'read_file' && seen === undefined && error.code === 'too-large')
      findLarge(workspace, path, { authorize, see });
    return { ...failed(error.message), ...toSeen() };
  }
}

function findLarge(
  workspace: string,
  path: string,
  {
    authorize,
    see,
  }: { readonly authorize: Authorize; readonly see: (at: string, sha256: string) => void },
): void {
  walk(workspace, path, false, (place) => {
    authorize('read', place.path);
    if (lstatSync(inside(place.parent, place.leaf)).size > maxHashedBytes) return;
    const sha256 = hashRegular(place)?.sha256;
    if (sha256 !== undefined) see(place.path, sha256);
  });
}

async function runCommand(
  args: Action['args'],
  workspace: string,
  authorize: Authorize,
  context: ToolContext,
): Promise<Outcome> {
  const { policy, effect, sandbox, signal, spillDir, blobs, lease, redactor } = context;
  const seconds = (args['timeoutSeconds'] as number | undefined) ?? defaultTimeoutSeconds;
  const line = toCommandLine(args, workspace);
  const outcome = await runCommandLine(line, {
    root: workspace,
    sandbox,
    timeoutMs: seconds * 1000,
    maxOutputBytes: policy.budgets.outputBytes,
    limits: policy.sandbox,
    // A script may do more than is visible in it.
    readOnly: line.kind === 'plain' && effect === 'pure',
    redactor,
    signal,
    spillDir,
    authorize,
    guard: guardOf(policy),
    isLocked: context.locked ?? (() => true),
    serveNetwork: (argv) => (hasNetwork(policy, argv) ? serveLinks(context) : undefined),
    prepareArgv: (argv) => prepareArgv(policy, argv),
    marks: lease === undefined ? undefined : { [markName]: lease.mark },
    beforeStart: lease === undefined ? undefined : () => lease.check(),
  });
  const { exitCode, timedOut, bytes, redacted, head, tail, whole } = outcome;
  const ref = whole === undefined ? undefined : await blobs.adopt(whole.file, whole.sha256);
  const left = bytes - Buffer.byteLength(head) - Buffer.byteLength(tail);
  const cut =
    left <= 0 || ref === undefined
      ? ''
      : `\n[… ${left} bytes omitted; read_blob ${ref} has ${whole?.bytes === bytes ? 'all' : `the first ${whole?.bytes}`} …]\n`;
  const state = timedOut
    ? `stopped after ${seconds} s, exit code ${exitCode}`
    : `exit code ${exitCode}`;
  return {
    ok: exitCode === 0,
    text: `${state}\n${head}${cut}${tail}`,
    exitCode,
    bytes,
    redacted,
    changed: [],
    whole: ref,
  };
}

/** A process's way to the network: a proxy that applies the policy and logs every request. */
function serveLinks({ policy, audit, base: { run, step, digest } }: ToolContext) {
  const proxy = createProxy({
    policy,
    log: (request) =>
      audit.append({
        kind: 'network',
        time: new Date().toISOString(),
        run,
        step,
        digest,
        ...request,
      }),
  });
  return (link: Duplex): void => serveLink(link, proxy);
}
