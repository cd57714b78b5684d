/** Placeholder for what only a shell knows: a variable, a command's output. */
export const unknownWord = '\uFFFC';

const maxShown = 120;

/** Renders argv for people: at most 120 characters, words that are not plain quoted as JSON. */
export function renderArgv(argv: readonly string[]): string {
  // Render only what will be shown: a line can have thousands of words and is rendered for each.
  const text = argv
    .slice(0, maxShown)
    .map((word) => word.slice(0, maxShown + 1).replaceAll(unknownWord, '…'))
    .map((word) => (/^[\w@%+=:,./~^…-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');
  return text.length > maxShown || argv.length > maxShown
    ? `${text.slice(0, maxShown - 1)}…`
    : text;
}
