/** A line of a chained file is not what was written. Nothing was changed. */
export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly line: number;
  readonly why: string;

  constructor(file: string, line: number, why: string) {
    super(
      `${file}: line ${line} ${why}. The file was changed after it was written and is not continued. ` +
        'Keep it as evidence: move it to another folder, and a new file is started.',
    );
    this.line = line;
    this.why = why;
  }
}
