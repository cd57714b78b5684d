import type { BytePath } from '../../snapshots/byte-path.ts';

/**
 * What one of git's files may contain, by its path in a git folder. `bulk`: any regular file, whose bytes are just data
 * to git. `linked` files exist only in a linked worktree's folder.
 */
export type Shape =
  | 'settings'
  | 'index'
  | 'rerere'
  | 'ref'
  | 'log'
  | 'bulk'
  | 'todo'
  | 'options'
  | 'strategy'
  | 'author'
  | 'commondir'
  | 'gitdir'
  | 'alternates';

/** Suffix for what git must not find; git reads nothing with it. */
export const disarmedSuffix = '.disarmed';

const rebaseFiles = `
  allow_rerere_autoupdate amend applying autostash abort-safety cdate_is_adate
  committer_date_is_author_date current-fixups dirtyindex done drop_redundant_commits empty end
  final-commit force_rebase format git-rebase-todo.backup gpg_sign_opt head-name ignore_date
  info interactive keep keep_redundant_commits last message message-fixup message-squash
  messageid msg msg-clean msgnum next no-reschedule-failed-exec no-verify onto orig-head
  original-commit patch patch-merge-index quiet quoted-cr rebasing refs-to-delete
  reschedule-failed-exec rewritten rewritten-list rewritten-pending scissors sign signoff
  squash-onto stopped-sha threeway update-refs utf8 verbose
`
  .trim()
  .split(/\s+/)
  .map((name) => name.replaceAll('.', '\\.'));

const topLevel = String.raw`
  description shallow packed-refs FETCH_HEAD COMMIT_EDITMSG MERGE_MSG MERGE_MODE SQUASH_MSG
  TAG_EDITMSG NOTES_EDITMSG EDIT_DESCRIPTION ADD_EDIT\.patch addp-hunk-edit\.diff gc\.log
  gc\.pid GITGUI_[A-Z]+ BISECT_[A-Z_]+ RENAMED-REF NOTES_MERGE_[A-Z]+ locked
`
  .trim()
  .split(/\s+/);

const shapes: readonly (readonly [RegExp, Shape])[] = [
  [/^config(?:\.worktree)?$/, 'settings'],
  [/^(?:index|sharedindex\.[0-9a-f]+)$/, 'index'],
  [/^MERGE_RR$/, 'rerere'],
  [/^(?:HEAD|[A-Z][A-Z_]*_HEAD|AUTO_MERGE|MERGE_AUTOSTASH)$/, 'ref'],
  [/^refs\/./, 'ref'],
  [/^logs\/./, 'log'],
  [/^info\/(?:exclude|sparse-checkout|refs)$/, 'bulk'],
  [/^hooks\/[^/]+\.sample$/, 'bulk'],
  [/^objects\/info\/(?:http-)?alternates$/, 'alternates'],
  [/^(?:objects|lfs|annex|reftable)\/./, 'bulk'],
  [/^rr-cache\/[0-9a-f]+\/[a-z]+image(?:\.\d+)?$/, 'bulk'],
  [/^rebase-(?:merge|apply)\/git-rebase-todo$/, 'todo'],
  [/^sequencer\/todo$/, 'todo'],
  [/^sequencer\/opts$/, 'options'],
  [/^sequencer\/(?:head|abort-safety|done)$/, 'bulk'],
  [/^rebase-(?:merge|apply)\/(?:strategy|strategy_opts|apply-opt|gpg_sign_opt)$/, 'strategy'],
  [/^rebase-(?:merge|apply)\/author-script$/, 'author'],
  [new RegExp(`^rebase-(?:merge|apply)/(?:${rebaseFiles.join('|')}|\\d{4,})$`), 'bulk'],
  [/^rebase-merge\/rewritten\/[^/]+$/, 'bulk'],
  [/^commondir$/, 'commondir'],
  [/^gitdir$/, 'gitdir'],
];

/** Undefined for what git does not create itself, or only in order to start programs. */
export function shapeOf(path: BytePath): Shape | undefined {
  if (topLevelPattern.test(path)) return 'bulk';
  const found = shapes.find(([pattern]) => pattern.test(path))?.[1];
  if (found !== undefined) return found;
  // A lock git holds or left; only its name matters.
  const locked = path.endsWith('.lock') ? path.slice(0, -'.lock'.length) : undefined;
  return locked !== undefined &&
    (topLevelPattern.test(locked) ||
      /^config|^index$|^MERGE_RR$|^HEAD$|^AUTO_MERGE$|_HEAD$/.test(locked))
    ? 'bulk'
    : undefined;
}

const topLevelPattern = new RegExp(`^(?:${topLevel.join('|')})$`);

/** Folders that git creates, and those inside. */
const folders =
  /^(?:refs|logs|objects|lfs|annex|reftable|rr-cache|modules|worktrees)(?:\/|$)|^(?:info|hooks|branches|remotes|rebase-apply|rebase-merge|rebase-merge\/rewritten|sequencer)$/;

export const isUsualFolder = (path: BytePath): boolean => folders.test(path);

const objectId = '(?:[0-9a-f]{40}|[0-9a-f]{64})';
const refPattern = new RegExp(`^(?:ref: refs/[^\\0]*|${objectId}|)$`);
const logPattern = new RegExp(`^(?:${objectId} ${objectId} .*|)$`, 's');
const rererePattern = /^(?:[0-9a-f]{40,64}(?:\.\d+)?\t(?!\/)[^\n]+|)$/;
const reftableNote = 'this repository uses the reftable format\n';

const todoCommands =
  'pick|p|reword|r|edit|e|squash|s|fixup|f|drop|d|label|l|reset|t|merge|m|break|b|noop|update-ref|u|revert';
const todoPattern = new RegExp(`^[ \\t]*(?:#.*|(?:${todoCommands})(?:[ \\t].*)?|)\\r?$`);

const builtInStrategy = /^(?:ort|recursive|resolve|octopus|ours|subtree)$/;
const optionPattern =
  /^(?:\[options\]|(?:no-commit|edit|allow-empty|allow-empty-message|keep-redundant-commits|drop-redundant-commits|signoff|record-origin|allow-ff|mainline|default-msg-cleanup|allow-rerere-auto) = [\w-]+|strategy = (?:ort|recursive|resolve|octopus|ours|subtree)|strategy-option = [\w=-]+|)$/;

/** Whether a text is valid for the file; shapes not handled here cannot be judged by text alone. */
export function fits(shape: Shape, path: BytePath, text: string): boolean {
  switch (shape) {
    case 'ref':
      return (
        (text.split('\n').every((line) => refPattern.test(line)) && !/\.\.|\/\//.test(text)) ||
        text === reftableNote
      );
    case 'log':
      return text.split('\n').every((line) => logPattern.test(line));
    case 'rerere':
      return text
        .split('\0')
        .every((line) => rererePattern.test(line) && !/[\t/](?:\.git|\.\.)(?:\/|$)/i.test(line));
    case 'todo':
      return text.split('\n').every((line) => todoPattern.test(line));
    case 'options':
      return text.split('\n').every((line) => optionPattern.test(line.trim()));
    case 'strategy':
      return (
        text.trim() === '' || (path.endsWith('/strategy') && builtInStrategy.test(text.trim()))
      );
    case 'author':
      return /^(?:GIT_AUTHOR_(?:NAME|EMAIL|DATE)='(?:[^'\n]|'\\'')*'\n?)*$/.test(text);
    case 'commondir':
      return /^\.\.\/\.\.\n?$/.test(text);
    case 'bulk':
    case 'index':
    case 'settings':
    case 'gitdir':
    case 'alternates':
      return true;
  }
}
