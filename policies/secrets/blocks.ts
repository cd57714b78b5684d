/** Secrets recognized by their surroundings: PEM private keys, passwords in URLs, webhook URLs. */

type Found = (start: number, end: number, kind: string) => void;

const marker = 'PRIVATE KEY';
const header = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
/** Longest header, before and after the marker. */
const maxOfHeader = 80;
const footer = /-----END/g;
/** A 16,384-bit key with escapes. */
const maxBlock = 24_576;
/** One line of base64; escapes such as `\n` match too, so that their letter is not taken for base64. */
const piece = /\\[nrt]|[A-Za-z0-9+/=]{4,}/g;

/** Masks private keys line by line, so that the text keeps its lines. */
export function findPrivateKeys(text: string, found: Found): void {
  let at = text.indexOf(marker);
  if (at === -1) return;
  const find = { footer: createFinder(text, footer), body: createFinder(text, body) };
  for (; at !== -1; at = text.indexOf(marker, at + marker.length)) {
    const from = Math.max(0, at - maxOfHeader);
    const begin = [...text.slice(from, at + maxOfHeader).matchAll(header)].findLast(
      ({ index }) => from + index < at,
    );
    if (begin === undefined || from + begin.index + begin[0].length < at) continue;
    const start = from + begin.index + begin[0].length;
    const end = findEnd(text, start, find);
    for (const { index, 0: part } of text.slice(start, end).matchAll(piece)) {
      if (!part.startsWith('\\')) found(start + index, start + index + part.length, 'private-key');
    }
    at = Math.max(at, end - marker.length);
  }
}

/** Every key body contains one of these. */
const body = /[A-Za-z0-9+/=]{40}/g;

/** The first match at or after a position. Positions only grow, so the text is searched once. */
type Finder = (from: number) => { readonly start: number; readonly end: number } | undefined;

function createFinder(text: string, expression: RegExp): Finder {
  let next: ReturnType<Finder> = { start: -1, end: -1 };
  return (from) => {
    if (next === undefined || next.start >= from) return next;
    expression.lastIndex = from;
    const found = expression.exec(text);
    next = found === null ? undefined : { start: found.index, end: expression.lastIndex };
    return next;
  };
}

/** End of the key's body. Prose that only mentions the header has none. */
function findEnd(
  text: string,
  start: number,
  find: { readonly footer: Finder; readonly body: Finder },
): number {
  const most = Math.min(text.length, start + maxBlock);
  const named = find.footer(start)?.start ?? text.length;
  const end = named >= most ? endOfBase64(text.slice(start, most)) + start : named;
  const inside = find.body(start);
  return inside !== undefined && inside.end <= end ? end : start;
}

/** End of a truncated key. */
function endOfBase64(text: string): number {
  const line = /[A-Za-z0-9+/=]{16,}|\\+[nrt]|[\s"'+,|>-]/y;
  let end = 0;
  while (line.test(text)) end = line.lastIndex;
  return end;
}

const password = /:\/\/[^\s/:@"'`\\<>]{0,128}:([^\s/@"'`\\<>[\]]{1,256})@/y;
const hook =
  /:\/\/(?:hooks\.slack\.com\/(?:services|workflows|triggers)|(?:\w+\.)?discord(?:app)?\.com\/api\/webhooks)\/([\w/-]{24,})/y;

/** Templates, and stand-ins for a password in examples and on developers' machines. */
const isExample = (secret: string): boolean =>
  secret.length < 6 ||
  /^(?:password|passwd|secret|guest|username|admin|postgres|example|x+)$/i.test(secret) ||
  /[${}*%(]/.test(secret.replaceAll(/%[0-9A-F]{2}/gi, ''));

/** Passwords in URLs, and URLs that are secrets themselves. */
export function findInAddresses(text: string, found: Found): void {
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    password.lastIndex = at;
    const secret = password.exec(text)?.[1];
    if (secret !== undefined && !isExample(secret)) {
      found(password.lastIndex - 1 - secret.length, password.lastIndex - 1, 'url-password');
    }
    hook.lastIndex = at;
    const path = hook.exec(text)?.[1];
    if (path !== undefined) found(hook.lastIndex - path.length, hook.lastIndex, 'webhook');
  }
}
