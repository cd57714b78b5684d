import type { WriteStream } from 'node:tty';
import { fitLine } from './width.ts';

/** A few lines at the bottom of the terminal that are drawn anew in place; what is written scrolls above them. */
export interface Screen {
  /** Prints lines that stay. */
  write(lines: readonly string[]): void;
  /** Draws the bottom lines anew, cut to the size of the terminal. */
  draw(lines: readonly string[]): void;
  /** Takes the bottom lines away. */
  clear(): void;
}

const toText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Lines must be free of control characters but for the colours of render.ts. */
export function createScreen(stream: Pick<WriteStream, 'write' | 'columns' | 'rows'>): Screen {
  let drawn: readonly string[] = [];

  // One write for erasing and drawing: in between, the terminal would flicker.
  const erase = (): string => (drawn.length === 0 ? '' : `\u001b[${drawn.length}A\u001b[0J`);

  return {
    write(lines) {
      if (lines.length > 0) stream.write(erase() + toText(lines) + toText(drawn));
    },
    draw(lines) {
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
  };
}
