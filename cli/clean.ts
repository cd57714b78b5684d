// Introducers and what belongs to them: CSI; OSC, DCS, SOS, PM and APC up to their end; any other two-character escape.
const sequences =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

// Besides control characters: what reorders or hides text, so that a prompt cannot look like another one.
const invisible =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/**
 * Text written by a model or a tool, safe to print: no escape sequences, no control characters but tab and line feed,
 * no invisible or reordering characters.
 */
export const stripControls = (text: string): string =>
  text.replaceAll('\r\n', '\n').replace(sequences, '').replace(invisible, '');

/** The same on one line, at most `max` characters (an ellipsis shows the cut). */
export function toLine(text: string, max: number): string {
  const line = stripControls(text).replace(/\s+/g, ' ').trim();
  if (line.length <= max) return line;
  // A cut between the halves of a surrogate pair would print as a broken character.
  const end = /[\ud800-\udbff]$/.test(line.slice(0, max - 1)) ? max - 2 : max - 1;
  return `${line.slice(0, end)}…`;
}

// All that prints nothing, prints like something else, or moves what is around it: controls but tab and line feed, formats,
// fillers, selectors, halves of surrogate pairs, private use and unassigned code points, and every space but the plain one.
const hidden =
  /(?![\t\n ])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

const toCodePoint = (character: string): string =>
  `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;

/** The text with every character that could hide or reorder something written out, as `<U+202E>`. Nothing is left out. */
export const showControls = (text: string): string => text.replace(hidden, toCodePoint);
