/** Recognizes sed scripts and awk programs that only transform their input. */

/** sed commands without arguments that do not write, read or run anything. */
const plainCommands = new Set('pPdDnNhHgGxlzF=');
const flagsOfSubstitution = /^[gpiIm0-9]*/;

class NotPlain extends Error {}

/** Reads a sed script left to right and refuses anything not known to be harmless. */
class SedReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** @throws NotPlain */
  readScript(): void {
    let depth = 0;
    let commands = 0;
    for (;;) {
      this.#skip(/^[\s;]*/);
      if (this.#at === this.#text.length) break;
      this.#readAddress();
      this.#skip(/^[ \t]*!?[ \t]*/);
      const command = this.#next();
      commands += 1;
      if (command === '{') depth += 1;
      else if (command === '}') depth -= 1;
      else this.#readCommand(command);
      if (depth < 0) throw new NotPlain();
      if (command !== '{') this.#expectEnd();
    }
    if (depth !== 0 || commands === 0) throw new NotPlain();
  }

  #readCommand(command: string): void {
    if (plainCommands.has(command)) return;
    if (command === 'q' || command === 'Q') return void this.#skip(/^[ \t]*\d*/);
    if (command !== 's' && command !== 'y') throw new NotPlain();
    const delimiter = this.#next();
    if (/[\s\\\w;]/.test(delimiter)) throw new NotPlain();
    this.#readUntil(delimiter);
    this.#readUntil(delimiter);
    if (command === 's') this.#skip(flagsOfSubstitution);
  }

  #readAddress(): void {
    if (!this.#readOneAddress()) return;
    if (!this.#skip(/^[ \t]*,[ \t]*/)) return;
    if (!this.#skip(/^[+~]?\d+/) && !this.#readOneAddress()) throw new NotPlain();
  }

  #readOneAddress(): boolean {
    if (this.#skip(/^(?:\d+(?:~\d+)?|\$)/)) return true;
    if (!this.#skip(/^\//)) return false;
    this.#readUntil('/');
    this.#skip(/^[IM]*/);
    return true;
  }

  /** Programs disagree on whether a delimiter inside brackets counts, so brackets must be closed first. */
  #readUntil(delimiter: string): void {
    const start = this.#at;
    for (;;) {
      const char = this.#next();
      if (char === '\n') throw new NotPlain();
      if (char === '\\') this.#next();
      else if (char === delimiter) break;
    }
    const inner = this.#text.slice(start, this.#at - 1).replaceAll(/\\[^]/g, '');
    if (/\[[^\]]*$|\[\^?\][^\]]*$/.test(inner)) throw new NotPlain();
  }

  #expectEnd(): void {
    const rest = this.#text.slice(this.#at);
    if (!/^[ \t]*(?:$|[;\n}])/.test(rest)) throw new NotPlain();
  }

  #next(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw new NotPlain();
    this.#at += 1;
    return char;
  }

  #skip(pattern: RegExp): boolean {
    const found = pattern.exec(this.#text.slice(this.#at))?.[0] ?? '';
    this.#at += found.length;
    return found !== '';
  }
}

/** True for a sed script that only reads and prints: addresses, `p`, `d`, `q`, `s` without `e` and `w`. */
export function isPrintingSed(script: string): boolean {
  if (script.length > 2_000) return false;
  try {
    new SedReader(script).readScript();
    return true;
  } catch (error) {
    if (error instanceof NotPlain) return false;
    throw error;
  }
}

const reachesOut = /system|getline|@|ENVIRON|PROCINFO|ARGV|include|load|fflush|close|\/inet/i;

/**
 * True for an awk program that only computes and prints. Blunt on purpose, because telling a regular expression from a
 * division in awk is hard: after the first `print` no `>` or `|` may appear, not even in a string.
 */
export const isPrintingAwk = (program: string): boolean =>
  program.length <= 2_000 && !reachesOut.test(program) && !/\\\n|print[^]*[>|]/i.test(program);
