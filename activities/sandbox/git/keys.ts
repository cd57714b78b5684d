/** A setting as git lists it: `section.name` or `section.subsection.name`; section and name in lower case. */
export interface Setting {
  readonly key: string;
  /** Absent for a bare name, which means true. */
  readonly value?: string;
}

/** Context for judging a value. */
export interface KeyContext {
  /** Whether a path followed from here stays in the workspace. */
  readonly isInside: (path: string) => boolean;
  /** Remotes that existed before. */
  readonly remotes: ReadonlySet<string>;
  /** Subsections that existed before: `branch.main`. */
  readonly sections: ReadonlySet<string>;
  /** Whether git may put files there: a submodule's git folder names its worktree. */
  readonly isWorkTree: (path: string) => boolean;
}

type Judge = (value: string, context: KeyContext, subsection: string) => boolean;

const any: Judge = () => true;
const flag: Judge = (value) => /^(?:|true|false|yes|no|on|off|0|1)$/i.test(value);
const off: Judge = (value) => /^(?:|false|no|off|0)$/i.test(value);
const count: Judge = (value) => /^-?\d+[kmg]?$/i.test(value);
const word: Judge = (value) => /^[\w.-]*$/.test(value);
const words: Judge = (value) => /^[\w.,:=%+ -]*$/.test(value);
const refspec: Judge = (value, { sections }, subsection) =>
  !sections.has(`remote.${subsection}`) && /^[+^]?(?:HEAD|refs\/)[^\s\\]*$/.test(value);
const exactly =
  (wanted: string): Judge =>
  (value) =>
    value === wanted;

/** A server, or a folder in the workspace; nothing that names a program (`ext::sh -c …`) or an option. */
const address: Judge = (value, { isInside }) => {
  // oxlint-disable-next-line no-control-regex
  if (value === '' || value.startsWith('-') || /[\0-\x1f]|::/.test(value)) return false;
  if (/^(?:https?|ssh|git|git\+ssh|ssh\+git):\/\/(?!-)[^/]/i.test(value)) return true;
  if (/^file:\/\/\//i.test(value)) return isInside(value.slice('file://'.length));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value)) return false;
  // As git decides: a colon before any slash means a host.
  const colon = value.indexOf(':');
  if (colon > 0 && !value.slice(0, colon).includes('/')) return true;
  return isInside(value);
};

/** The location of an existing remote or submodule must not change. */
const newAddress =
  (section: string): Judge =>
  (value, context, subsection) =>
    !context.sections.has(`${section}.${subsection}`) && address(value, context, subsection);

const upstream: Judge = (value, { remotes, sections }, subsection) =>
  value === '.' ||
  remotes.has(value) ||
  (!sections.has(`branch.${subsection}`) && /^[\w][\w./-]*$/.test(value));

/**
 * Settings a command may leave: git only compares, counts or prints them, or they lead to servers or into the
 * workspace. Everything else is reset. Names without subsection.
 */
const harmless: Readonly<Record<string, Judge>> = {
  'core.repositoryformatversion': count,
  'core.filemode': flag,
  'core.bare': flag,
  'core.ignorecase': flag,
  'core.precomposeunicode': flag,
  'core.logallrefupdates': word,
  'core.symlinks': flag,
  'core.autocrlf': word,
  'core.eol': word,
  'core.safecrlf': word,
  'core.quotepath': flag,
  'core.abbrev': word,
  'core.whitespace': words,
  'core.compression': count,
  'core.bigfilethreshold': count,
  'core.trustctime': flag,
  'core.checkstat': word,
  'core.preloadindex': flag,
  'core.untrackedcache': word,
  'core.splitindex': flag,
  'core.commitgraph': flag,
  'core.multipackindex': flag,
  'core.sparsecheckout': flag,
  'core.sparsecheckoutcone': flag,
  'core.longpaths': flag,
  'core.fsmonitor': off,
  'core.hookspath': exactly('/dev/null'),
  'core.pager': exactly('cat'),
  'core.editor': (value) => value === 'true' || value === ':',
  'core.worktree': (value, { isWorkTree }) => isWorkTree(value),
  'extensions.objectformat': word,
  'extensions.worktreeconfig': flag,
  'extensions.refstorage': word,
  'extensions.relativeworktrees': flag,
  'extensions.preciousobjects': flag,
  'extensions.noop': any,
  'index.version': count,
  'index.sparse': flag,
  'index.threads': word,
  'feature.manyfiles': flag,
  'feature.experimental': flag,
  'user.name': any,
  'user.email': any,
  'author.name': any,
  'author.email': any,
  'committer.name': any,
  'committer.email': any,
  'init.defaultbranch': word,
  'branch.*.remote': upstream,
  'branch.*.pushremote': (value, { remotes }) => remotes.has(value),
  'branch.*.merge': (value) => /^[\w@][^\s\\]*$/.test(value),
  'branch.*.rebase': word,
  'branch.*.description': any,
  'branch.autosetupmerge': word,
  'branch.autosetuprebase': word,
  'remote.*.url': newAddress('remote'),
  'remote.*.pushurl': newAddress('remote'),
  'remote.*.fetch': refspec,
  'remote.*.push': refspec,
  'remote.*.tagopt': (value) => /^--(?:no-)?tags$/.test(value),
  'remote.*.prune': flag,
  'remote.*.prunetags': flag,
  'remote.*.mirror': (value, context, subsection) =>
    !context.sections.has(`remote.${subsection}`) && flag(value, context, subsection),
  'submodule.*.url': newAddress('submodule'),
  'submodule.*.active': flag,
  'submodule.*.branch': (value) => /^[\w.][^\s\\]*$/.test(value),
  'submodule.*.ignore': word,
  'submodule.*.shallow': flag,
  'submodule.*.fetchrecursesubmodules': word,
  'submodule.*.update': (value) => /^(?:checkout|merge|rebase|none)$/.test(value),
  'submodule.active': any,
  'submodule.recurse': flag,
  'pull.rebase': word,
  'pull.ff': word,
  'push.autosetupremote': flag,
  'push.followtags': flag,
  'fetch.prune': flag,
  'fetch.prunetags': flag,
  'merge.ff': word,
  'merge.conflictstyle': word,
  'merge.renames': word,
  'merge.renamelimit': count,
  'merge.stat': flag,
  'rebase.autostash': flag,
  'rebase.autosquash': flag,
  'rebase.updaterefs': flag,
  'rebase.stat': flag,
  'rerere.enabled': flag,
  'rerere.autoupdate': flag,
  'diff.algorithm': word,
  'diff.renames': word,
  'diff.renamelimit': count,
  'diff.context': count,
  'diff.mnemonicprefix': flag,
  'diff.noprefix': flag,
  'diff.colormoved': word,
  'diff.submodule': word,
  'diff.indentheuristic': flag,
  'diff.*.xfuncname': any,
  'diff.*.funcname': any,
  'diff.*.binary': flag,
  'log.date': words,
  'log.decorate': word,
  'log.follow': flag,
  'log.showsignature': off,
  'blame.date': words,
  'column.ui': words,
  'color.ui': word,
  'status.short': flag,
  'status.branch': flag,
  'status.showuntrackedfiles': word,
  'status.submodulesummary': word,
  'commit.gpgsign': off,
  'commit.verbose': flag,
  'commit.cleanup': word,
  'tag.gpgsign': off,
  'tag.sort': word,
  'gc.auto': count,
  'gc.autodetach': flag,
  'maintenance.auto': flag,
  'advice.*': flag,
  'transfer.hiderefs': words,
  'lfs.repositoryformatversion': count,
  'filter.lfs.clean': exactly('git-lfs clean -- %f'),
  'filter.lfs.smudge': exactly('git-lfs smudge -- %f'),
  'filter.lfs.process': exactly('git-lfs filter-process'),
  'filter.lfs.required': flag,
};

/** Splits a key; only the subsection is case-sensitive, and it may contain dots. */
export function splitKey(key: string): { section: string; subsection: string; name: string } {
  const [first, last] = [key.indexOf('.'), key.lastIndexOf('.')];
  return {
    section: key.slice(0, first).toLowerCase(),
    subsection: first === last ? '' : key.slice(first + 1, last),
    name: key.slice(last + 1).toLowerCase(),
  };
}

/** Whether a command may leave the setting. */
export function isHarmless({ key, value = 'true' }: Setting, context: KeyContext): boolean {
  const { section, subsection, name } = splitKey(key);
  const forms =
    key.indexOf('.') === key.lastIndexOf('.')
      ? [`${section}.${name}`, `${section}.*`]
      : [`${section}.${subsection}.${name}`, `${section}.*.${name}`];
  const judge = forms
    .map((form) => (Object.hasOwn(harmless, form) ? harmless[form] : undefined))
    .find((found) => found !== undefined);
  return judge?.(value, context, subsection) === true;
}
