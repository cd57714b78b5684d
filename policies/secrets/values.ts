/** A secret the operator has, such as the value of a variable. */
export interface SecretValue {
  /** Names it in the text it is taken out of. */
  readonly name: string;
  readonly value: string;
}

/** Longer values are no keys but documents. */
const maxValue = 8_192;

/** Shorter values stand in ordinary text too often. */
export const shortestValue = 8;

const toBinary = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');

/** Base64 of it at each place within a group of three bytes, without the characters that depend on its neighbours. */
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

/** How the value may be written: as it is, and in base64, URLs and JSON. None for one that stands in ordinary text too often. */
export const toForms = (value: string): string[] =>
  value.length < shortestValue
    ? []
    : [
        value,
        toBinary(value),
        // A lone surrogate has no bytes.
        encodeURIComponent(value.toWellFormed()),
        new URLSearchParams([['', value]]).toString().slice(1),
        JSON.stringify(value).slice(1, -1),
        JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
        ...toBase64(value),
      ];

const secretName =
  /(?:^|[_-])(?:api)?(?:key|token|secret|password|passwd|passphrase|pass|pwd|credentials?|auth|pat|dsn)s?(?:$|[_-])/i;
const otherNames = /^(?:OLD)?PWD$|_(?:FILE|PATH|DIR|URL|ID|NAME|SOCK|TYPE|HOST|PORT|USER)$/i;

/** True for the name of a variable or setting that usually holds a secret. */
export const isSecretName = (name: string): boolean =>
  secretName.test(name) && !otherNames.test(name);

/** True for what such a variable holds when it is no secret: a path, a number, a plain word. */
const isPlain = (value: string): boolean =>
  /^(?:[./~]|[a-z]+$|[A-Z]+$|[\d.]+$|[A-Za-z]:\\)/.test(value) ||
  /^(?:https?|file):\/\/[^@]*$/.test(value);

/** The secrets among variables: those with such a name, and those the operator names. */
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
