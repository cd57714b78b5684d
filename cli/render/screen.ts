import type { WriteStream } from 'node:tty';
import { fitLine } from './width.ts';

/** A few lines at the bottom of the terminal, redrawn in place; other output scrolls above them. */
export interface Screen {
  /** Prints permanent lines. */
  write(lines: readonly string[]): void;
  /** Redraws the bottom lines, cut to the terminal. */
  draw(lines: readonly string[]): void;
  /** Removes the bottom lines. */
  clear(): void;
}

const toText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** Lines must not contain control characters, except colours from render.ts. */
export function createScreen(stream: Pick<WriteStream, 'write' | 'columns' | 'rows'>): Screen {
  let drawn: readonly string[] = [];

  // Erase and draw in one write, or the terminal flickers.
  const erase = (): string => (drawn.length === 0 ? '' : `\u001b[${drawn.length}A\u001b[0J`);

  return {
    write(lines) {
      if (lines.length > 0) stream.write(erase() + toText(lines) + toText(drawn));
    },
    draw(lines) {
      // Leave the last row free: a line ending there would scroll and break the count of lines to erase.
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
