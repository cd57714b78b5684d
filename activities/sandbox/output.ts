import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { createRedactionStream } from '../../policies/secrets/redaction-stream.ts';
import type { RedactionStream } from '../../policies/secrets/redaction-stream.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';

/** Characters of an output the model sees, half head, half tail. */
export const shownCharacters = 30_000;

/** Cuts text in the middle; a notice at the cut says what is missing. */
export function capText(text: string, limit = shownCharacters, ref?: string): string {
  if (text.length <= limit) return text;
  const half = Math.floor(limit / 2);
  const more = ref === undefined ? '' : `; read_blob ${ref} has all`;
  return `${text.slice(0, half)}\n[… ${text.length - 2 * half} characters omitted${more} …]\n${text.slice(-half)}`;
}

/** Longer than any secret that is not masked line by line. */
const margin = 4_096;

export interface Captured {
  /** Total bytes, kept or not; after redaction if it was applied. */
  readonly bytes: number;
  /** Secrets redacted. */
  readonly redacted: number;
  readonly head: string;
  readonly tail: string;
  /** The output as a file, up to the limit, if head and tail do not hold it all. */
  readonly whole?: { readonly file: string; readonly sha256: string; readonly bytes: number };
}

/**
 * Captures output of any size in constant memory: head and tail stay in memory, and up to `maxBytes` goes to a file
 * once they overflow. Redacts before storing anything.
 */
export class OutputCapture {
  readonly #half: number;
  readonly #maxBytes: number;
  readonly #file: string;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  readonly #tail: Buffer;
  #tailAt = 0;
  #tailBytes = 0;
  #bytes = 0;
  #fd: number | undefined;
  #hash: Hash | undefined;
  #spilled = 0;
  readonly #redactor: Redactor;
  readonly #stream: RedactionStream;
  #redacted = 0;

  constructor(
    maxBytes: number,
    file: string,
    shown = shownCharacters,
    redactor: Redactor = formRedactor,
  ) {
    this.#redactor = redactor;
    this.#stream = createRedactionStream(redactor);
    this.#half = Math.floor(shown / 2);
    this.#maxBytes = maxBytes;
    this.#file = file;
    this.#tail = Buffer.allocUnsafe(this.#half);
  }

  /** The caller may reuse the chunk afterwards. */
  add(chunk: Buffer): void {
    // One character per byte, so that binary data survives.
    this.#keep(Buffer.from(this.#stream.write(chunk.toString('latin1')), 'latin1'));
  }

  #keep(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#bytes += chunk.length;
    this.#spill(chunk);
    let rest = chunk;
    if (this.#headBytes < this.#half) {
      const part = Buffer.from(rest.subarray(0, this.#half - this.#headBytes));
      this.#head.push(part);
      this.#headBytes += part.length;
      rest = rest.subarray(part.length);
    }
    if (rest.length > 0) this.#keepTail(rest);
  }

  /** Only the last `tailBytes` bytes of what follows are kept. */
  get isFull(): boolean {
    return this.#spilled >= this.#maxBytes && this.#headBytes >= this.#half;
  }

  /** With a margin in front: a truncated secret would not be recognized. */
  get tailBytes(): number {
    return this.#half + margin;
  }

  /** Counts bytes read elsewhere after the capture was full; `tail` is their end. */
  skip(bytes: number, tail: Buffer): void {
    if (bytes === tail.length) return this.add(tail);
    this.#keep(Buffer.from(this.#stream.end(), 'latin1'));
    const { text, count } = this.#redactor.redact(tail.toString('latin1'));
    this.#redacted += count;
    this.#bytes += bytes;
    if (text !== '') this.#keepTail(Buffer.from(text.slice(-this.#half), 'latin1'));
  }

  /** Runs every few kilobytes of a flood: one copy, no allocation, unless it wraps around the ring. */
  #keepTail(rest: Buffer): void {
    const from = Math.max(rest.length - this.#half, 0);
    const length = rest.length - from;
    const first = Math.min(length, this.#half - this.#tailAt);
    rest.copy(this.#tail, this.#tailAt, from, from + first);
    if (first < length) rest.copy(this.#tail, 0, from + first, rest.length);
    this.#tailAt = (this.#tailAt + length) % this.#half;
    this.#tailBytes = Math.min(this.#tailBytes + length, this.#half);
  }

  #spill(chunk: Buffer): void {
    if (this.#spilled >= this.#maxBytes) return;
    if (this.#fd === undefined) {
      // Everything so far still fits into head and tail.
      if (this.#bytes <= 2 * this.#half) return;
      this.#fd = openSync(this.#file, 'wx', 0o600);
      this.#hash = createHash('sha256');
      this.#write(Buffer.concat([...this.#head, this.#orderedTail()]));
    }
    this.#write(chunk);
  }

  #write(chunk: Buffer): void {
    const part = chunk.subarray(0, this.#maxBytes - this.#spilled);
    for (let at = 0; at < part.length;) at += writeSync(this.#fd as number, part, at);
    this.#hash?.update(part);
    this.#spilled += part.length;
  }

  #orderedTail(): Buffer {
    if (this.#tailBytes < this.#half) return this.#tail.subarray(0, this.#tailBytes);
    return Buffer.concat([this.#tail.subarray(this.#tailAt), this.#tail.subarray(0, this.#tailAt)]);
  }

  end(): Captured {
    this.#keep(Buffer.from(this.#stream.end(), 'latin1'));
    const captured = {
      bytes: this.#bytes,
      redacted: this.#redacted + this.#stream.count,
      head: Buffer.concat(this.#head).toString('utf8'),
      tail: this.#orderedTail().toString('utf8'),
    };
    if (this.#fd === undefined || this.#hash === undefined) return captured;
    closeSync(this.#fd);
    return {
      ...captured,
      whole: { file: this.#file, sha256: this.#hash.digest('hex'), bytes: this.#spilled },
    };
  }

  /** Drops what was kept, after a failure. */
  discard(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    unlinkSync(this.#file);
  }
}
