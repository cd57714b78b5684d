import { lstatSync } from 'node:fs';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Duplex } from 'node:stream';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Action, Decision, Effect } from '../../policies/action.ts';
import { createChangeJudge } from '../../policies/paths/changes.ts';
import type { JudgeChange } from '../../policies/paths/changes.ts';
import { prepareArgv } from '../../policies/commands/prepare-argv.ts';
import { createDenial } from '../../policies/paths/denied.ts';
import { liftPath } from '../../policies/grants/grants.ts';
import { hasNetwork } from '../../policies/network/network.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { serveLink } from '../network/link.ts';
import { createProxy } from '../network/proxy.ts';
import { deleteFile, editText, readText, writeText } from '../files/files.ts';
import type { Authorize, CheckVersion } from '../files/files.ts';
import { refuseGitFolderByFile } from '../sandbox/git/by-file.ts';
import { listFiles } from '../files/list.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { searchFiles } from '../files/search.ts';
import { hashRegular } from '../files/regular.ts';
import { runCommandLine } from '../sandbox/shell.ts';
import { lookAtPlaces } from '../sandbox/sights.ts';
import { markName } from '../snapshots/git.ts';
import { dependencyFolders } from '../snapshots/scan.ts';
import type { Guard } from '../sandbox/survey.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';
import type { Held } from './transactions.ts';
import { mostHashedBytes } from './versions.ts';
import type { Seen } from './versions.ts';

export interface Surroundings {
  readonly blobs: BlobStore;
  readonly policy: Policy;
  /** Of the action, as it was decided. */
  readonly effect: Effect;
  readonly sandbox: Sandbox;
  readonly spillDir: string;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** A person approved exactly this action. */
  readonly approved: boolean;
  readonly audit: AuditLog;
  /** What the record says of the action. */
  readonly base: { readonly run: string; readonly step: string; readonly digest: string };
  /** Absent outside of runs. */
  readonly held?: Held;
  /** Of what may not be changed without a question, what a command finds read-only. Outside of runs, all of it. */
  readonly locked?: (path: string) => boolean;
  /** Asked before a file is changed; absent outside of runs. */
  readonly check?: CheckVersion;
}

/** What a tool came to. Failures are outcomes too: the model reads them and goes on. */
export interface Outcome {
  readonly ok: boolean;
  /** All the model may see, not yet capped. */
  readonly text: string;
  readonly exitCode?: number;
  /** The whole output where it outgrew memory. */
  readonly whole?: string;
  /** Secrets taken out of `text` already. */
  readonly redacted?: number;
  /** Bytes the tool produced, kept or not. */
  readonly bytes: number;
  readonly changed: readonly string[];
  /** The file whose content the model knows by now. */
  readonly seen?: Seen;
}

/** A link led to a path that is judged otherwise than the one written. Nothing was done. */
export class Rejudged extends Error {
  override readonly name = 'Rejudged';
  readonly decision: Decision;

  constructor(decision: Decision) {
    super(decision.reason);
    this.decision = decision;
  }
}

const defaultTimeoutSeconds = 120;
const mostEntries = 1_000;

const changing: ReadonlySet<string> = new Set(['write_file', 'edit_file', 'delete_file']);

/** By links that protected names are, and by folders that git takes hooks from. */
const createJudge = async (policy: Policy, workspace: string): Promise<JudgeChange> =>
  createChangeJudge(policy, {
    ...(await lookAtPlaces(workspace, guardOf(policy))),
    fetched: new Set(dependencyFolders),
  });

/** Carries out an action the policy allows. @throws Rejudged, and whatever is not the tool's own failure. */
export async function carryOut(
  { tool, args, workspace }: Action,
  around: Surroundings,
): Promise<Outcome> {
  const { policy, approved, blobs, sandbox, signal, held, check } = around;
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
    // The last thing asked before a file is changed.
    authorize: ((operation, at) => {
      authorize(operation, at);
      if (operation === 'write') refuseGitFolderByFile(workspace, at);
      held?.check();
    }) satisfies Authorize,
    check,
  };
  let seen: Seen | undefined;
  const see = (at: string, sha256: string): void => void (seen = { path: at, sha256 });
  const toSeen = () => (seen === undefined ? {} : { seen });
  try {
    switch (tool) {
      case 'list_files': {
        const depth = (args['depth'] as number | undefined) ?? 3;
        return toOutcome(listFiles(workspace, path, { depth, maxEntries: mostEntries, authorize }));
      }
      case 'read_file': {
        const lines = args as { startLine?: number; endLine?: number };
        let redacted = 0;
        const mask = (whole: string): string => {
          const found = around.redactor.redact(whole);
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
          seen: { path: change.path, sha256: change.after },
        };
      }
      case 'delete_file': {
        const change = deleteFile(workspace, path, writing);
        return {
          ...toOutcome(`Deleted ${change.path}.`),
          changed: [change.path],
          seen: { path: change.path, sha256: null },
        };
      }
      case 'read_blob': {
        const { start = 0, end } = args as { start?: number; end?: number };
        return toOutcome((await blobs.getText(text('ref'))).slice(start, end));
      }
      case 'run_command':
        return await runCommand(args, workspace, authorize, around);
      default:
        return failed(`There is no tool ${tool}.`);
    }
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    // What cannot be shown is known all the same: it may be replaced or deleted.
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
    if (lstatSync(inside(place.parent, place.leaf)).size > mostHashedBytes) return;
    const sha256 = hashRegular(place)?.sha256;
    if (sha256 !== undefined) see(place.path, sha256);
  });
}

const toOutcome = (text: string): Outcome => ({
  ok: true,
  text,
  bytes: Buffer.byteLength(text),
  changed: [],
});

const failed = (text: string): Outcome => ({ ...toOutcome(text), ok: false });

async function runCommand(
  args: Action['args'],
  workspace: string,
  authorize: Authorize,
  around: Surroundings,
): Promise<Outcome> {
  const { policy, effect, sandbox, signal, spillDir, blobs, held, redactor } = around;
  const seconds = (args['timeoutSeconds'] as number | undefined) ?? defaultTimeoutSeconds;
  const line = toCommandLine(args, workspace);
  const outcome = await runCommandLine(line, {
    root: workspace,
    sandbox,
    timeoutMs: seconds * 1000,
    maxOutputBytes: policy.budgets.outputBytes,
    limits: policy.sandbox,
    // A script may do more than can be seen in it.
    readOnly: line.kind === 'plain' && effect === 'pure',
    redactor,
    signal,
    spillDir,
    authorize,
    guard: guardOf(policy),
    isLocked: around.locked ?? (() => true),
    serveNetwork: (argv) => (hasNetwork(policy, argv) ? serveLinks(around) : undefined),
    prepareArgv: (argv) => prepareArgv(policy, argv),
    marks: held === undefined ? undefined : { [markName]: held.mark },
    beforeStart: held === undefined ? undefined : () => held.check(),
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

/** The way out for one process: a proxy that knows the policy and notes every request. */
function serveLinks({ policy, audit, base: { run, step, digest } }: Surroundings) {
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

const guards = new WeakMap<Policy, Guard>();

/** One for each policy, so that what was found with it can be found again. */
export function guardOf(policy: Policy): Guard {
  const guard = guards.get(policy) ?? {
    isHidden: createDenial(policy, 'read'),
    isProtected: createDenial(policy, 'write'),
    isWatched: createDenial(policy, 'write', 'ask'),
  };
  guards.set(policy, guard);
  return guard;
}
