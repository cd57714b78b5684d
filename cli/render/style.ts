/** Colours, or plain text off a terminal, with NO_COLOR, and in tests. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

const wrap =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;

const same = (text: string): string => text;

export const plainStyle: Style = { bold: same, dim: same, red: same, green: same, yellow: same };

const colours: Style = {
  bold: wrap(1, 22),
  dim: wrap(2, 22),
  red: wrap(31, 39),
  green: wrap(32, 39),
  yellow: wrap(33, 39),
};

/** Colours if the terminal supports them (no-color.org: any non-empty NO_COLOR disables them). */
export const createStyle = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style =>
  stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? colours : plainStyle;
