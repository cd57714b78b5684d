// East Asian wide and fullwidth characters and emoji, in the coarse blocks terminals agree on.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const nothing = /\p{Mn}|\p{Me}|\u200d|[\ufe00-\ufe0f]/u;
// eslint-disable-next-line no-control-regex -- our own colours
const colour = /\u001b\[[0-9;]*m/y;
const plain = '\u001b[0m';

/** Cuts a line to a number of columns, with an ellipsis; colours take no space and end with the line. */
export function fitLine(line: string, columns: number): string {
  let used = 0;
  let end = 0;
  let coloured = false;
  for (let index = 0; index < line.length;) {
    colour.lastIndex = index;
    const code = colour.exec(line)?.[0];
    if (code !== undefined) {
      coloured = true;
      index += code.length;
      continue;
    }
    const character = String.fromCodePoint(line.codePointAt(index) ?? 0);
    const width = nothing.test(character) ? 0 : wide.test(character) ? 2 : 1;
    if (used + width > columns) return `${line.slice(0, end)}…${coloured ? plain : ''}`;
    used += width;
    index += character.length;
    if (used < columns) end = index;
  }
  return line;
}

const tab = 4;

/** Wraps a line; tabs become spaces, so that the width is as counted. */
export function wrapLine(line: string, columns: number): string[] {
  const lines: string[] = [];
  let current = '';
  let used = 0;
  for (const each of line) {
    const character = each === '\t' ? ' '.repeat(tab) : each;
    const width = each === '\t' ? tab : nothing.test(each) ? 0 : wide.test(each) ? 2 : 1;
    if (used + width > columns && current !== '') {
      lines.push(current);
      current = '';
      used = 0;
    }
    current += character;
    used += width;
  }
  return [...lines, current];
}
