import type { WriteStream } from 'node:tty';
import { fitLine, rowsOf } from './width.ts';

/** A few lines at the bottom of the terminal that are redrawn in place; what is written scrolls above them. */
export interface Screen {
  /** Prints lines that stay. */
  write(lines: readonly string[]): void;
  /** Redraws the bottom lines, cut to the size of the terminal. */
  draw(lines: readonly string[]): void;
  /** Removes the bottom lines. */
  clear(): void;
  /** Leaves the bottom lines to whoever has written below them; the next ones are drawn where the cursor is. */
  forget(): void;
}

const toText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/**
 * Lines must be free of control characters but for the colours of render.ts. A terminal without `escapes` has no bottom
 * lines: there, nothing that is printed can be changed again.
 */
export function createScreen(
  stream: Pick<WriteStream, 'write' | 'columns' | 'rows'>,
  escapes = true,
): Screen {
  let drawn: readonly string[] = [];

  // One write for erasing and drawing: in between, the terminal would flicker.
  const erase = (): string => {
    if (drawn.length === 0) return '';
    // In a window made narrower, the terminal has wrapped the lines that were drawn for a wider one.
    const rows = drawn.reduce((sum, line) => sum + rowsOf(line, stream.columns || 80), 0);
    return `\u001b[${rows}A\u001b[0J`;
  };

  return {
    write(lines) {
      if (lines.length > 0) stream.write(erase() + toText(lines) + toText(drawn));
    },
    draw(lines) {
      if (!escapes) return;
      // The last row stays free: a line ended there would scroll, and the count of lines to erase be wrong.
      const room = Math.max(1, (stream.rows || 24) - 1);
      const next = lines.slice(-room).map((line) => fitLine(line, (stream.columns || 80) - 1));
      if (next.join('\n') === drawn.join('\n')) return;
      stream.write(erase() + toText(next));
      drawn = next;
    },
    clear() {
      stream.write(erase());
      drawn = [];
    },
    forget() {
      drawn = [];
    },
  };
}
