/** Secrets recognized by the name they are assigned to: `password = "…"`, `API_KEY: …`, `Authorization: Bearer …`. */

/** Cheap test for where to look closer. */
const hint = /passw|passphrase|passcode|pwd|secret|token|credential|authorization|key/gi;

/** Names whose values are always secret, as opposed to digests and public values. */
const strong =
  /passw(?:or)?d|passphrase|passcode|secret|(?:api|access|private|account|signing|encryption|master|deploy|service|shared)[_-]?key|(?:access|auth|refresh|session|bearer|api|bot|deploy)[_-]?token|authorization/i;
/** Ambiguous names: the value itself must look like a secret. */
const weak = /token|credential|pwd|[A-Za-z0-9][_-]?key$/i;
const harmless =
  /hash|digest|checksum|sha\d|integrity|etag|commit|revision|fingerprint|public|(?:^|[_-])id$|Id$|names?$|path$|file$|url$|type$|length$|count$|limit$|max|min[_-]|cache[_-]?key|primary[_-]?key|foreign[_-]?key|sort[_-]?key|partition[_-]?key|key[_-]?code/i;

const sign = /(?:\\*["'`])?\]?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}|(?<=--[\w-]{1,64})[ ]{1,16}/y;
const scheme = /(?:Bearer|Basic|Token|ApiKey|Digest)[ ]{1,16}/iy;
const opening = /\\*["'`]/y;
/** Inside quotes, which may be escaped as in nested JSON; otherwise up to the end of the word. */
const inQuotes = /[^"'`\\\s[\]]*/y;
const inWord = /[A-Za-z0-9_+/=.~!@#%^*?$-]*/y;
/** After a quoted name, as in JSON. */
const quoteEnd = /^\\*["']/;
const wordEnd = /[\s,;"'\\`)}\]<&|]/;
const leastQuoted = 8;
const leastPassword = 6;
const leastBare = 12;
const maxValue = 512;
/** Limit on names in one word such as `a=token=key=…` whose values are checked. */
const maxInWord = 8;

const isNamePart = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  code === 95 ||
  code === 45;

const maxName = 64;

/** Finds secrets by the name they are assigned to and by how random they look. */
export function findAssignments(
  text: string,
  found: (start: number, end: number, kind: string) => void,
): void {
  const readValue = createValueReader(text);
  hint.lastIndex = 0;
  for (let hit = hint.exec(text); hit !== null; hit = hint.exec(text)) {
    let end = hint.lastIndex;
    // A placeholder is not a name.
    if (text.startsWith('[secret:', hit.index - 1)) {
      hint.lastIndex = end + text.slice(end, end + maxName).indexOf(']') + 1;
      continue;
    }
    while (end < text.length && isNamePart(text.charCodeAt(end))) end += 1;
    const value = readValue(end);
    hint.lastIndex = end;
    if (value === undefined) continue;
    let start = hit.index;
    const first = Math.max(0, start - maxName);
    while (start > first && isNamePart(text.charCodeAt(start - 1))) start -= 1;
    if (end - start > 2 * maxName) continue;
    const name = text.slice(start, end);
    const isPlain = value.quoted && quoteEnd.test(text.slice(end, end + 4));
    const isSecret = isPlain && passwordName.test(name) ? isPassword(value.text) : false;
    if (!isSecret && !isSecretOf(name, value)) continue;
    found(value.start, value.end, 'assigned');
    hint.lastIndex = value.end;
  }
}

interface Value {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly quoted: boolean;
  /** After a scheme such as `Bearer`. */
  readonly schemed: boolean;
}

/**
 * Reads the value assigned to the name ending at a position. Each word is scanned once, however many names it contains.
 */
function createValueReader(text: string): (at: number) => Value | undefined {
  const skip = (expression: RegExp, at: number): number | undefined => {
    expression.lastIndex = at;
    return expression.test(text) ? expression.lastIndex : undefined;
  };
  const toValue = (
    { start, end }: { readonly start: number; readonly end: number },
    quoted: boolean,
    schemed = false,
  ): Value | undefined =>
    end - start >= (quoted && !schemed ? leastPassword : leastBare) && end - start <= maxValue
      ? { start, end, text: text.slice(start, end), quoted, schemed }
      : undefined;
  const readQuoted = (start: number, quote: string): Value | undefined => {
    const end = skip(inQuotes, start) ?? start;
    const closing = skip(opening, end);
    return closing !== undefined && text[closing - 1] === quote
      ? toValue({ start, end }, true)
      : undefined;
  };
  let word = { start: 0, end: -1, names: 0 };
  const readBare = (start: number, quoted: boolean, schemed: boolean): Value | undefined => {
    if (start < word.start || start > word.end)
      word = { start, end: skip(inWord, start) ?? start, names: 0 };
    const { end } = word;
    if (end < text.length && !wordEnd.test(text[end] ?? '')) return undefined;
    const value = toValue({ start, end }, quoted, schemed);
    if (value !== undefined) word.names += 1;
    return word.names > maxInWord ? undefined : value;
  };
  return (at) => {
    const start = skip(sign, at);
    if (start === undefined) return undefined;
    const open = skip(opening, start);
    const behind = skip(scheme, open ?? start);
    if (behind !== undefined) return readBare(behind, open !== undefined, true);
    return open === undefined
      ? readBare(start, false, false)
      : readQuoted(open, text[open - 1] ?? '');
  };
}

/** Names ending in a word for password: the value is secret however little random it looks. */
const passwordName = /(?:^|[_.a-z-])(?:passw(?:or)?d|passphrase|passcode|pwd)$/i;

/** A value such as `hunter2` or `Summer!24`: not a plain word, rule, selector, pattern or template. */
function isPassword(value: string): boolean {
  const text = value.replace(/[?!:.*]{1,4}$/, '');
  return (
    value.length >= leastPassword &&
    /^[!-~]+$/.test(value) &&
    /[A-Za-z]/.test(text) &&
    /[\d!@#$%^&+=~]/.test(text) &&
    !/^[#.$<{^*/%[(]|^(?:optional|string|min|max)\b/.test(text) &&
    !isTemplate(value)
  );
}

function isSecretOf(name: string, { text, quoted, schemed }: Value): boolean {
  if (harmless.test(name) || (quoted && !schemed && text.length < leastQuoted)) return false;
  const sure = strong.test(name);
  if (!sure && !weak.test(name)) return false;
  if (isHarmlessValue(text)) return false;
  if (!sure && isDigest(text)) return false;
  if (schemed) return measureBits(text) >= 2.5;
  const kinds = countKinds(text);
  if (kinds < 2 && !isDigest(text)) return false;
  if (sure && quoted) return measureBits(text) >= (text.length < 12 ? 2.75 : 3);
  return text.length >= (sure ? 12 : 16) && measureBits(text) >= (sure ? 3 : 3.3);
}

/** Templates, paths, addresses, versions, numbers, examples and compound words. */
const isHarmlessValue = (text: string): boolean => isTemplate(text) || isWords(text);

function isTemplate(text: string): boolean {
  return (
    /^(?:\.{0,2}\/|~\/|[a-z][a-z+.-]*:\/\/|[A-Za-z]:\\|data:|sha\d+-|\$|%|process\.|os\.|env\.)/.test(
      text,
    ) ||
    /^[\d.,:+TZ_-]+$|^-?\d+(?:\.\d+)?e[+-]?\d+$/i.test(text) ||
    /\$\{|\{\{|%\(|^#[a-z]|^(?:required|nullable)\b|xxxx|\*\*\*|\.\.\.|example|changeme|placeholder|redacted|dummy|your[_-]/i.test(
      text,
    )
  );
}

/** `readToken`, `dev-agent-token-2`, `settings.apiKey2`: names, not secrets. */
function isWords(text: string): boolean {
  const parts = text.match(/[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|\d+|[^A-Za-z\d]+|[A-Z]/g) ?? [];
  const words = parts.filter((part) => /^[A-Za-z]/.test(part));
  const letters = words.reduce((sum, part) => sum + part.length, 0);
  const odd = text.replaceAll(/[\w.:@/?!=-]/g, '').length;
  return odd === 0 && letters >= text.length * 0.6 && letters / Math.max(words.length, 1) >= 3;
}

const digest =
  /^(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/i;

/** Looks like a hash, a commit or a UUID. */
const isDigest = (text: string): boolean => digest.test(text);

const countKinds = (text: string): number =>
  [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(text)).length;

/** Shannon entropy in bits per character. */
function measureBits(text: string): number {
  const counts = new Map<string, number>();
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) {
    const share = count / text.length;
    bits -= share * Math.log2(share);
  }
  return bits;
}
