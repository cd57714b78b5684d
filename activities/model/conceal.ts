/** Removes a secret from a server's responses before anything is stored, logged or shown. */
export interface Concealer {
  whole(text: string): string;
  /** For text in pieces: holds back a possible start of the secret until the next piece, or `rest`. */
  piece(text: string): string;
  rest(): string;
}

/** Shorter ones would hide ordinary words. */
const shortest = 8;
const mask = '[secret]';

/** Covers `secret` plain and as JSON, base64 and URLs encode it. */
export function createConcealer(secret: string | undefined): Concealer {
  if (secret === undefined || secret.length < shortest)
    return { whole: same, piece: same, rest: () => '' };
  const bytes = Buffer.from(secret);
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ].toSorted((a, b) => b.length - a.length);
  const whole = (text: string): string =>
    forms.reduce((rest, form) => rest.replaceAll(form, mask), text);
  let held = '';
  return {
    whole,
    piece(text) {
      const seen = whole(held + text);
      const length = Math.max(...forms.map((form) => overlap(seen, form)));
      held = seen.slice(seen.length - length);
      return seen.slice(0, seen.length - length);
    },
    rest() {
      const left = held;
      held = '';
      return left;
    },
  };
}

const same = (text: string): string => text;

/** How many characters at the end of `text` could start `form`. */
function overlap(text: string, form: string): number {
  for (let length = Math.min(text.length, form.length - 1); length > 0; length--)
    if (text.endsWith(form.slice(0, length))) return length;
  return 0;
}
