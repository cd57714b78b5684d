type Found = (start: number, end: number, kind: string) => void;

/** A kind of secret recognizable by its form alone, as its issuer documents it. */
interface SecretFormat {
  readonly kind: string;
  /** Possible prefixes of at least three characters; `pattern` is tried only there. */
  readonly starts: readonly string[];
  /** Sticky, from the prefix on; a lookbehind may check what precedes. */
  readonly pattern: RegExp;
  /** Only at the start of a word. */
  readonly isWord: boolean;
}

/** Not in the middle of a longer word; a JSON escape such as `\n` does not extend a word. */
const apart = /(?<![A-Za-z0-9_-]|(?<!\\)\\)|(?<=\\[nrtbf])/y;

/**
 * `x{20,}` is written `x{20}x*`: for the first, V8 keeps a backtrack point per character and throws on texts with
 * millions of them.
 */
const toPattern = (notation: string): RegExp =>
  new RegExp(notation.replaceAll(/(\[[^[\]]+\])\{(\d+),\}/g, '$1{$2}$1*'), 'y');

const format = (kind: string, starts: string, pattern: string): SecretFormat => ({
  kind,
  starts: starts.split(' '),
  isWord: false,
  pattern: toPattern(pattern),
});

/** As `format`, for prefixes too short or too common to count inside a word. */
const word = (kind: string, starts: string, pattern: string): SecretFormat => ({
  ...format(kind, starts, pattern),
  isWord: true,
});

const hex = '[a-f0-9]';
const alnum = '[A-Za-z0-9]';
const url = String.raw`[\w-]`;

/** All known formats. Each contains a run of at least 16 letters, digits, dashes or underscores. */
export const secretFormats: readonly SecretFormat[] = [
  word('aws-access-key', 'AKI ASI ABI ACC', '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])'),
  format('github-token', 'ghp gho ghu ghs ghr', `gh[pousr]_${alnum}{36,255}`),
  format('github-token', 'git', String.raw`github_pat_\w{22,255}`),
  format(
    'gitlab-token',
    'glp glo gld glr glc glf gli gla gls',
    `gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-${url}{20,300}`,
  ),
  format('npm-token', 'npm', `npm_${alnum}{36}`),
  format('pypi-token', 'pyp', `pypi-AgE${url}{50,}`),
  format('rubygems-token', 'rub', `rubygems_${hex}{48}`),
  word('crates-token', 'cio', `cio${alnum}{32}(?!${alnum})`),
  format('docker-token', 'dck', `dckr_[op]at_${url}{24,}`),
  format('slack-token', 'xox', `xox[abceoprs]-(?:\\d-)?${alnum}[A-Za-z0-9-]{9,}`),
  format('slack-token', 'xap', `xapp-\\d-[A-Z0-9]+-\\d+-${hex}{32,}`),
  format('telegram-token', ':AA', String.raw`(?<=\d{8,10}):AA[\w-]{33}(?![\w-])`),
  format('stripe-key', 'sk_ rk_', `[rs]k_(?:live|test|prod)_${alnum}{10,}`),
  format('stripe-webhook-secret', 'whs', 'whsec_[A-Za-z0-9+/=]{32,}'),
  word('anthropic-key', 'sk-', `sk-ant-${url}{20,}`),
  word('openrouter-key', 'sk-', `sk-or-v1-${hex}{64}`),
  word('openai-key', 'sk-', `sk-(?:proj|svcacct|admin|None)-${url}{20,}`),
  word('openai-key', 'sk-', `sk-${alnum}{32,}`),
  format('google-api-key', 'AIz', `AIza${url}{35}(?!${url})`),
  format('google-oauth-secret', 'GOC', `GOCSPX-${url}{28}`),
  word('google-oauth-token', 'ya2', `ya29\\.${url}{20,}`),
  word('google-oauth-token', '1//', `1\\/\\/0${url}{40,}`),
  format('azure-storage-key', 'Acc acc', '[Aa]ccount[Kk]ey=[A-Za-z0-9+/]{86}=='),
  format('azure-client-secret', '8Q~', String.raw`(?<=[\w.~-]{3})8Q~[\w.~-]{31,34}`),
  format('digitalocean-token', 'doo dop dor', `do[opr]_v1_${hex}{64}`),
  format('heroku-token', 'HRK', `HRKU-${url}{30,}`),
  word('huggingface-token', 'hf_', `hf_${alnum}{34,}`),
  word('replicate-token', 'r8_', `r8_${alnum}{37}`),
  format('groq-key', 'gsk', `gsk_${alnum}{48,}`),
  word('xai-key', 'xai', `xai-${alnum}{60,}`),
  format('perplexity-key', 'ppl', `pplx-${alnum}{40,}`),
  format('sendgrid-key', 'SG.', `SG\\.${url}{20,24}\\.${url}{39,50}`),
  word('mailgun-key', 'key', `key-${hex}{32}(?!${alnum})`),
  format('shopify-token', 'shp', `shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}`),
  format('square-token', 'sq0', `sq0[a-z]{3}-${url}{22,43}`),
  format('linear-key', 'lin', `lin_(?:api|oauth)_${alnum}{40,}`),
  word('notion-token', 'ntn sec', `(?:ntn_${alnum}{40,}|secret_${alnum}{43}(?!${alnum}))`),
  format('figma-token', 'fig', `fig[duo]_${url}{40,}`),
  format('postman-key', 'PMA', `PMAK-${hex}{24}-${hex}{34}`),
  word('databricks-token', 'dap', `dapi${hex}{32}(?!${alnum})`),
  word('vault-token', 'hvs hvb hvr', `hv[sbr]\\.${url}{24,}`),
  format('terraform-token', '.at', String.raw`(?<=[A-Za-z0-9]{14})\.atlasv1\.[\w-]{60,}`),
  format('newrelic-key', 'NRA', `NRAK-[A-Z0-9]{27}`),
  format('grafana-token', 'gls glc', `(?:glsa_${alnum}{32}_${hex}{8}|glc_[A-Za-z0-9+/=]{32,})`),
  format('sentry-token', 'snt', `sntry[su]_[A-Za-z0-9+/=_-]{40,}`),
  format('atlassian-token', 'ATA ATC', `ATATT3[\\w=-]{60,}|ATCTT3[\\w=-]{60,}`),
  format(
    'doppler-token',
    'dp.',
    `dp\\.(?:pt|st|ct|sa|scim|audit)\\.(?:[a-z0-9_-]{2,35}\\.)?${alnum}{40,44}`,
  ),
  format('planetscale-token', 'psc', String.raw`pscale_(?:tkn|pw|oauth)_[\w.=-]{32,}`),
  format('supabase-token', 'sbp', `sbp_${hex}{40}`),
  format('age-secret-key', 'AGE', 'AGE-SECRET-KEY-1[A-Z0-9]{58}'),
];

/** Every format has a run of letters, digits, dashes and underscores at least this long. */
const shortestRun = 16;
/** How far before its run a match may start. */
const maxBefore = 12;
const slots = 1 << 14;
const slotOf = (a: number, b: number, c: number): number => ((a * 31 + b) * 31 + c) & (slots - 1);

const inRun = new Uint8Array(256);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
  inRun[letter.charCodeAt(0)] = 1;

/** Formats by their first three characters, with a table that quickly rules out the rest. */
const byStart = new Map<number, SecretFormat[]>();
const isStart = new Uint8Array(slots);
isStart[slotOf(101, 121, 74)] = 1; // eyJ, of web tokens
for (const secret of secretFormats) {
  for (const start of secret.starts) {
    const slot = slotOf(start.charCodeAt(0), start.charCodeAt(1), start.charCodeAt(2));
    byStart.set(slot, [...(byStart.get(slot) ?? []), secret]);
    isStart[slot] = 1;
  }
}

/**
 * Finds secrets by form. Only long runs are examined, and sampling every sixteenth character finds them, so ordinary
 * text costs next to nothing.
 */
export function findFormats(text: string, found: Found): void {
  const token = createTokenReader(text);
  let done = 0;
  for (let at = shortestRun - 1; at < text.length; at += shortestRun) {
    if (inRun[text.charCodeAt(at)] !== 1) continue;
    let start = at;
    while (start > done && inRun[text.charCodeAt(start - 1)] === 1) start -= 1;
    let end = at + 1;
    while (end < text.length && inRun[text.charCodeAt(end)] === 1) end += 1;
    if (end - start >= shortestRun) {
      done = lookAt(text, { from: Math.max(done, start - maxBefore), to: end, token }, found);
      end = Math.max(end, done);
    }
    at = end;
  }
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly token: TokenReader;
}

/** Tries the formats starting in a stretch. Returns where to continue. */
function lookAt(text: string, { from, to, token }: Stretch, found: Found): number {
  /** What follows a secret is never mid-word: it is what remains once that secret is removed. */
  let last = -1;
  let [second, third] = [text.charCodeAt(from), text.charCodeAt(from + 1)];
  for (let at = from; at < to; at++) {
    const first = second;
    second = third;
    third = text.charCodeAt(at + 2);
    const slot = slotOf(first, second, third);
    if (isStart[slot] !== 1) continue;
    const end = toEndOfToken(text, at, token) ?? toEndOfFormat(text, at, last, slot);
    if (end === undefined) continue;
    found(at, end.at, end.kind);
    last = end.at;
    at = last - 1;
    second = text.charCodeAt(last);
    third = text.charCodeAt(last + 1);
  }
  return Math.max(to, last);
}

interface End {
  readonly at: number;
  readonly kind: string;
}

function toEndOfFormat(text: string, at: number, last: number, slot: number): End | undefined {
  let isApart = at === last ? true : undefined;
  for (const { kind, pattern, isWord } of byStart.get(slot) ?? []) {
    if (isWord) {
      apart.lastIndex = at;
      isApart ??= apart.test(text);
      if (!isApart) continue;
    }
    pattern.lastIndex = at;
    if (pattern.test(text)) return { at: pattern.lastIndex, kind };
  }
  return undefined;
}

const tokenStart = 'eyJ';

function toEndOfToken(text: string, at: number, read: TokenReader): End | undefined {
  const end = text.startsWith(tokenStart, at) ? read(at) : undefined;
  return end === undefined ? undefined : { at: end, kind: 'jwt' };
}

/** End of the JSON web token starting at a position, if there is one. */
type TokenReader = (start: number) => number | undefined;

/** The dot-separated parts after the first are scanned once, however many positions could start a token. */
function createTokenReader(text: string): TokenReader {
  const toEnd = (start: number): number => {
    let at = start;
    while (at < text.length && inRun[text.charCodeAt(at)] === 1) at += 1;
    return at;
  };
  /** End of the parts after a position, each with the given minimum length. */
  const read = (start: number, ...parts: readonly number[]): number | undefined => {
    let at = start;
    for (const least of parts) {
      if (text[at] !== '.') return undefined;
      const end = toEnd(at + 1);
      if (end - at - 1 < least) return undefined;
      at = end;
    }
    return at;
  };
  let first = { start: 0, end: 0 };
  let signed: number | undefined;
  let sealed: number | undefined;
  return (start) => {
    if (start < first.start || start >= first.end) {
      const end = toEnd(start);
      first = { start, end };
      signed = text.startsWith(tokenStart, end + 1)
        ? read(end, tokenStart.length + 8, 16)
        : undefined;
      sealed = read(end, 0, 8, 16, 16);
    }
    const { length } = tokenStart;
    if (signed !== undefined && first.end - start >= length + 8) return signed;
    return sealed !== undefined && first.end - start >= length + 16 ? sealed : undefined;
  };
}
