/** What runs each tool: besides tools/ the only place that goes by a tool's name. */
import { lstatSync } from 'node:fs';
import type { Action } from '../../policies/action.ts';
import { deleteFile, editText, readText, writeText } from '../files/files.ts';
import type { Authorize, ChangeOptions } from '../files/files.ts';
import { listFiles } from '../files/list.ts';
import { hashRegular } from '../files/regular.ts';
import { searchFiles } from '../files/search.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';
import { refuseGitFolderByFile } from '../sandbox/git/by-file.ts';
import { failed, toOutcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { runCommand } from './run-command.ts';
import type { ToolContext } from './tool-context.ts';
import { maxHashedBytes } from './versions.ts';
import type { Seen } from './versions.ts';

export interface ExecutorContext extends ToolContext {
  /** Judges a path once its links are resolved. @throws Rejudged */
  readonly authorize: Authorize;
}

/** Gets only calls whose arguments are valid. A `PathRefused` it throws is the call's failure. */
type Execute = (action: Action, context: ExecutorContext) => Promise<Outcome> | Outcome;

const maxEntries = 1_000;

export const executors: ReadonlyMap<string, Execute> = new Map<string, Execute>([
  [
    'list_files',
    ({ args, workspace }, { authorize }) => {
      const { path = '.', depth = 3 } = args as { path?: string; depth?: number };
      return toOutcome(listFiles(workspace, path, { depth, maxEntries, authorize }));
    },
  ],
  ['read_file', readFile],
  [
    'search',
    async ({ args, workspace }, { authorize, policy, sandbox, signal }) => {
      const { path = '.', ...query } = args as { path?: string; pattern: string; glob?: string };
      const at = walk(workspace, path, false, (place) => {
        authorize('list', place.path);
        return place.path;
      });
      const hidden = policy.paths.read
        .filter(({ verdict }) => verdict !== 'allow')
        .flatMap(({ globs }) => globs.map((glob) => glob.text));
      const options = { root: workspace, path: at, hidden, sandbox, signal };
      return toOutcome(await searchFiles({ ...options, ...query }));
    },
  ],
  [
    'write_file',
    ({ args, workspace }, context) => {
      const { path, content } = args as { path: string; content: string };
      const change = writeText(workspace, path, content, toWriting(workspace, context));
      const verb = change.before === null ? 'Created' : 'Replaced';
      return toChanged(`${verb} ${change.path}, ${change.bytes} bytes.`, change.path, change.after);
    },
  ],
  [
    'edit_file',
    ({ args, workspace }, context) => {
      const {
        path,
        all = false,
        ...edit
      } = args as { path: string; old: string; new: string; all?: boolean };
      const writing = toWriting(workspace, context);
      const change = editText(workspace, path, { ...edit, all }, writing);
      const places = change.count === 1 ? 'one place' : `${change.count} places`;
      return toChanged(`Edited ${change.path} in ${places}.`, change.path, change.after);
    },
  ],
  [
    'delete_file',
    ({ args, workspace }, context) => {
      const { path } = args as { path: string };
      const change = deleteFile(workspace, path, toWriting(workspace, context));
      return toChanged(`Deleted ${change.path}.`, change.path, null);
    },
  ],
  [
    'read_blob',
    async ({ args }, { blobs }) => {
      const { ref, start = 0, end } = args as { ref: string; start?: number; end?: number };
      return toOutcome((await blobs.getText(ref)).slice(start, end));
    },
  ],
  ['run_command', runCommand],
]);

const toChanged = (text: string, path: string, sha256: string | null): Outcome => ({
  ...toOutcome(text),
  changed: [path],
  seen: { path, sha256 },
});

const toWriting = (
  workspace: string,
  { authorize, policy, lease, check }: ExecutorContext,
): ChangeOptions => ({
  maxBytes: policy.paths.writeBytes,
  // The last check before a file is changed.
  authorize(operation, at) {
    authorize(operation, at);
    if (operation === 'write') refuseGitFolderByFile(workspace, at);
    lease?.check();
  },
  check,
});

function readFile(
  { args, workspace }: Action,
  { authorize, policy, redactor }: ExecutorContext,
): Outcome {
  const { path, ...lines } = args as { path: string; startLine?: number; endLine?: number };
  let seen: Seen | undefined;
  let redacted = 0;
  const see = (at: string, sha256: string): void => void (seen = { path: at, sha256 });
  const mask = (text: string): string => {
    const found = redactor.redact(text);
    redacted = found.count;
    return found.text;
  };
  const options = { maxBytes: policy.paths.readBytes, authorize, ...lines, mask, seen: see };
  try {
    return { ...toOutcome(readText(workspace, path, options)), seen, redacted };
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    // The version counts as known even if the content cannot be shown: the file may be replaced or deleted.
    if (seen === undefined && error.code === 'too-large')
      findLarge(workspace, path, { authorize, see });
    return { ...failed(error.message), seen };
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
