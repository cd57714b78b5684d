/**
 * What workflow code and activities say to each other is in this folder. Types only: workflows import nothing else of this room.
 * Whatever can grow (prompts, transcripts, arguments, outputs) travels as a `Ref` into the blob store, so that history stays
 * flat however long the conversation gets (docs/architecture.md, "Messages by reference").
 */

/** Address of a blob: `sha256:` and 64 hex digits. */
export type Ref = string;

/** A tool call the model asked for. Its arguments are in `segment`, the transcript blob that holds them. */
export interface Call {
  readonly id: string;
  readonly tool: string;
  readonly segment: Ref;
  readonly index: number;
  /** What a person reads: the path, the command line, the question. At most 160 characters, one line. */
  readonly preview: string;
}

/** Snapshot of a workspace: 40 hex digits, an object of the shadow repository. */
export type SnapshotId = string;
