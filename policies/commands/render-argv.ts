/** Stands for what only a shell would know: a variable, the output of a command. */
export const unknownWord = '\uFFFC';

const maxShown = 120;

/** Command line for people: words that are not plain are quoted as JSON, at most 120 characters. */
export function renderArgv(argv: readonly string[]): string {
  // What is cut off below is not rendered: a line may have thousands of words, and is shown for each of them.
  const text = argv
    .slice(0, maxShown)
    .map((word) => word.slice(0, maxShown + 1).replaceAll(unknownWord, '…'))
    .map((word) => (/^[\w@%+=:,./~^…-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');
  return text.length > maxShown || argv.length > maxShown
    ? `${text.slice(0, maxShown - 1)}…`
    : text;
}
