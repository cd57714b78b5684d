/** Secrets that show by the name they are given to: `password = "…"`, `API_KEY: …`, `Authorization: Bearer …`. */

/** Where to look closer. */
const hint = /passw|passphrase|passcode|pwd|secret|token|credential|authorization|key/gi;

/** Names whose values are secret whatever they look like, against those of digests and of what is public. */
const strong =
  /passw(?:or)?d|passphrase|passcode|secret|(?:api|access|private|account|signing|encryption|master|deploy|service|shared)[_-]?key|(?:access|auth|refresh|session|bearer|api|bot|deploy)[_-]?token|authorization/i;
/** Names that are as often used for something else: a value must look more like a secret. */
const weak = /token|credential|pwd|[A-Za-z0-9][_-]?key$/i;
const harmless =
  /hash|digest|checksum|sha\d|integrity|etag|commit|revision|fingerprint|public|(?:^|[_-])id$|Id$|names?$|path$|file$|url$|type$|length$|count$|limit$|max|min[_-]|cache[_-]?key|primary[_-]?key|foreign[_-]?key|sort[_-]?key|partition[_-]?key|key[_-]?code/i;

const sign = /(?:\\*["'`])?\]?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}|(?<=--[\w-]{1,64})[ ]+/y;
const scheme = /(?:Bearer|Basic|Token|ApiKey|Digest)[ ]+/iy;
/** In quotes, which may be escaped as in JSON within JSON; else up to what ends a word. */
const quoted = /\\*(["'`])([^"'`\\\s[\]]{8,512})(?=\\*\1)/y;
const bare = /[A-Za-z0-9_+/=.~!@#%^*?$-]{12,512}(?=[\s,;"'\\`)}\]<&|]|$)/y;

const isNamePart = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  code === 95 ||
  code === 45;

const longestName = 64;

/** Finds values that are secret by what they are assigned to and by how random they look. */
export function findAssignments(
  text: string,
  found: (start: number, end: number, kind: string) => void,
): void {
  hint.lastIndex = 0;
  for (let hit = hint.exec(text); hit !== null; hit = hint.exec(text)) {
    let end = hint.lastIndex;
    // A placeholder is no name.
    if (text.startsWith('[secret:', hit.index - 1)) {
      hint.lastIndex = Math.max(end, text.indexOf(']', end));
      continue;
    }
    while (end < text.length && isNamePart(text.charCodeAt(end))) end += 1;
    const value = readValue(text, end);
    hint.lastIndex = end;
    if (value === undefined) continue;
    let start = hit.index;
    const first = Math.max(0, start - longestName);
    while (start > first && isNamePart(text.charCodeAt(start - 1))) start -= 1;
    if (!isSecretOf(text.slice(start, end), value)) continue;
    found(value.start, value.end, 'assigned');
    hint.lastIndex = value.end;
  }
}

interface Value {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly quoted: boolean;
  /** After a word such as `Bearer`. */
  readonly schemed: boolean;
}

function readValue(text: string, at: number): Value | undefined {
  sign.lastIndex = at;
  if (!sign.test(text)) return undefined;
  let start = sign.lastIndex;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = start;
    if (!pattern.test(text)) return false;
    start = pattern.lastIndex;
    return true;
  };
  const open = skip(opening);
  const schemed = skip(scheme);
  if (open && !schemed) {
    start = sign.lastIndex;
    quoted.lastIndex = start;
    const inside = quoted.exec(text)?.[2];
    if (inside === undefined) return undefined;
    const end = quoted.lastIndex;
    return { start: end - inside.length, end, text: inside, quoted: true, schemed };
  }
  bare.lastIndex = start;
  if (!bare.test(text)) return undefined;
  const end = bare.lastIndex;
  return { start, end, text: text.slice(start, end), quoted: open, schemed };
}

const opening = /\\*["'`]/y;

function isSecretOf(name: string, { text, quoted: inQuotes, schemed }: Value): boolean {
  if (harmless.test(name)) return false;
  const sure = strong.test(name);
  if (!sure && !weak.test(name)) return false;
  if (isHarmlessValue(text)) return false;
  if (!sure && isDigest(text)) return false;
  if (schemed) return measureBits(text) >= 2.5;
  const kinds = countKinds(text);
  if (kinds < 2 && !isDigest(text)) return false;
  if (sure && inQuotes) return measureBits(text) >= (text.length < 12 ? 2.75 : 3);
  return text.length >= (sure ? 12 : 16) && measureBits(text) >= (sure ? 3 : 3.3);
}

/** Templates, paths, addresses, versions, numbers, examples, and words strung together. */
function isHarmlessValue(text: string): boolean {
  return (
    /^(?:\.{0,2}\/|~\/|[a-z][a-z+.-]*:\/\/|[A-Za-z]:\\|data:|sha\d+-|\$|%|process\.|os\.|env\.)/.test(
      text,
    ) ||
    /^[\d.,:+TZ_-]+$|^-?\d+(?:\.\d+)?e[+-]?\d+$/i.test(text) ||
    /\$\{|\{\{|%\(|xxxx|\*\*\*|\.\.\.|example|changeme|placeholder|redacted|dummy|your[_-]/i.test(
      text,
    ) ||
    isWords(text)
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

/** The form of a hash, a commit or a UUID. */
const isDigest = (text: string): boolean => digest.test(text);

const countKinds = (text: string): number =>
  [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(text)).length;

/** Shannon entropy, in bits a character. */
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
