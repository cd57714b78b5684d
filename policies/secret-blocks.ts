/** Secrets that show by what stands around them: private keys in PEM, passwords and hooks in addresses. */

type Found = (start: number, end: number, kind: string) => void;

const marker = 'PRIVATE KEY';
const header = /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const footer = '-----END';
/** A key of 16,384 bits with its escapes. */
const longestBlock = 24_576;
/** Base64 of a line; an escape such as `\n` is taken along so that its letter is not mistaken for a part of it. */
const piece = /\\+[nrt]|[A-Za-z0-9+/=]{4,}/g;

/** Masks the body of private keys line by line, so that the text keeps its lines. */
export function findPrivateKeys(text: string, found: Found): void {
  for (let at = text.indexOf(marker); at !== -1; at = text.indexOf(marker, at + marker.length)) {
    header.lastIndex = Math.max(0, at - 40);
    const begin = header.exec(text);
    if (begin === null || begin.index > at) continue;
    const start = header.lastIndex;
    const end = findEnd(text, start);
    for (const { index, 0: part } of text.slice(start, end).matchAll(piece)) {
      if (!part.startsWith('\\')) found(start + index, start + index + part.length, 'private-key');
    }
    at = Math.max(at, end - marker.length);
  }
}

/** End of the key's body. Prose that only names the header has none. */
function findEnd(text: string, start: number): number {
  const most = Math.min(text.length, start + longestBlock);
  const named = text.indexOf(footer, start);
  const end = named === -1 || named > most ? endOfBase64(text, start, most) : named;
  return /[A-Za-z0-9+/=]{40}/.test(text.slice(start, end)) ? end : start;
}

/** Of a key that is cut off. */
function endOfBase64(text: string, start: number, most: number): number {
  const body = /(?:[A-Za-z0-9+/=]{16,}|\\+[nrt]|[\s"'+,|>-])*/y;
  body.lastIndex = start;
  return Math.min(most, body.test(text) ? body.lastIndex : start);
}

const password = /:\/\/[^\s/:@"'`\\<>]{0,128}:([^\s/@"'`\\<>[\]]{1,256})@/y;
const hook =
  /:\/\/(?:hooks\.slack\.com\/(?:services|workflows|triggers)|(?:\w+\.)?discord(?:app)?\.com\/api\/webhooks)\/([\w/-]{24,})/y;

/** Templates, and the words that stand for a password in examples and on developers' own machines. */
const isExample = (secret: string): boolean =>
  secret.length < 6 ||
  /^(?:password|passwd|secret|guest|username|admin|postgres|example|x+)$/i.test(secret) ||
  /[${}*%(]/.test(secret.replaceAll(/%[0-9A-F]{2}/gi, ''));

/** Passwords in addresses, and addresses that are secrets themselves. */
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
