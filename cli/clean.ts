// Escape sequences: CSI; OSC, DCS, SOS, PM and APC up to their terminator; any other two-character escape.
const sequences =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

// Control characters, and those that reorder or hide text, which could make one prompt look like another.
const invisible =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/**
 * Makes text from a model or tool safe to print: removes escape sequences, control characters (except tab and line
 * feed), and invisible or reordering characters.
 */
export const stripControls = (text: string): string =>
  text.replaceAll('\r\n', '\n').replace(sequences, '').replace(invisible, '');

/** The same on one line, at most `max` characters (an ellipsis marks a cut). */
export function toLine(text: string, max: number): string {
  const line = stripControls(text).replace(/\s+/g, ' ').trim();
  if (line.length <= max) return line;
  // Half a surrogate pair would print as a broken character.
  const end = /[\ud800-\udbff]$/.test(line.slice(0, max - 1)) ? max - 2 : max - 1;
  return `${line.slice(0, end)}…`;
}

// Everything that prints nothing, looks like something else, or moves its surroundings: controls except tab and line
// feed, formats, fillers, selectors, lone surrogates, private use and unassigned code points, and all spaces but the
// plain one.
const hidden =
  /(?![\t\n ])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

const toCodePoint = (character: string): string =>
  `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;

/** Spells out every character that could hide or reorder text, as `<U+202E>`. Omits nothing. */
export const showControls = (text: string): string => text.replace(hidden, toCodePoint);
