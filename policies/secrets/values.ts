/** A secret the operator holds, such as a variable's value. */
export interface SecretValue {
  /** Shown in place of it. */
  readonly name: string;
  readonly value: string;
}

/** Longer values are documents, not keys. */
const maxValue = 8_192;

/** Shorter values occur too often in ordinary text. */
export const shortestValue = 8;

const toBinary = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');

/** Its base64 at each offset within a three-byte group, without the characters that depend on its neighbours. */
function toBase64(value: string): string[] {
  const bytes = toBinary(value);
  return [0, 1, 2].flatMap((before) => {
    const encoded = btoa('\0'.repeat(before) + bytes);
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const core = encoded.slice(from, to);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** The forms a value may take: plain, base64, URL-encoded, JSON. Empty for values that are common in ordinary text. */
export const toForms = (value: string): string[] =>
  value.length < shortestValue
    ? []
    : [
        value,
        toBinary(value),
        // A lone surrogate cannot be encoded.
        encodeURIComponent(value.toWellFormed()),
        new URLSearchParams([['', value]]).toString().slice(1),
        JSON.stringify(value).slice(1, -1),
        JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
        ...toBase64(value),
      ];

const secretName =
  /(?:^|[_-])(?:api)?(?:key|token|secret|password|passwd|passphrase|pass|pwd|credentials?|auth|pat|dsn)s?(?:$|[_-])/i;
const otherNames = /^(?:OLD)?PWD$|_(?:FILE|PATH|DIR|URL|ID|NAME|SOCK|TYPE|HOST|PORT|USER)$/i;

/** True for variable or setting names that usually hold a secret. */
export const isSecretName = (name: string): boolean =>
  secretName.test(name) && !otherNames.test(name);

/** True for a harmless value under such a name: a path, a number, a plain word. */
const isPlain = (value: string): boolean =>
  /^(?:[./~]|[a-z]+$|[A-Z]+$|[\d.]+$|[A-Za-z]:\\)/.test(value) ||
  /^(?:https?|file):\/\/[^@]*$/.test(value);

/** The secrets among variables: those with a telling name, and those the operator names. */
export const pickSecrets = (
  variables: Readonly<Record<string, string | undefined>>,
  named: readonly string[] = [],
): SecretValue[] =>
  Object.entries(variables).flatMap(([name, value]) => {
    const length = value?.length ?? 0;
    if (value === undefined || length < shortestValue || length > maxValue) return [];
    const wanted = named.includes(name) || (isSecretName(name) && !isPlain(value));
    return wanted ? [{ name, value }] : [];
  });
