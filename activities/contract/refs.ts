/**
 * This folder holds everything workflows and activities exchange. Types only, and the only part of activities that
 * workflows import. Anything that can grow (prompts, transcripts, arguments, outputs) travels as a `Ref` into the blob
 * store, so that history stays small however long the conversation gets (docs/architecture.md, "Messages by
 * reference").
 */

/** Address of a blob: `sha256:` and 64 hex digits. */
export type Ref = string;

/** A tool call the model requested. Its arguments are in `segment`, a transcript blob. */
export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly segment: Ref;
  readonly index: number;
  /** For people: the path, the command line, the question. One line, at most 160 characters. */
  readonly preview: string;
}

/** A workspace snapshot: 40 hex digits, an object of the shadow repository. */
export type SnapshotId = string;
