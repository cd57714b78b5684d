import type { BlobStore } from '../../audit/record/blobs.ts';
import type { Registry } from '../../tools/registry.ts';
import type { ModelChoice, ModelOutcome } from '../contract/model.ts';
import type { ModelAsk, ModelReply } from './conversation.ts';
import type { Checked } from './outcome.ts';
import type { Transcripts } from './transcript.ts';

/** What planner, executor and reviewer work with. */
export interface Role {
  readonly blobs: BlobStore;
  readonly transcripts: Transcripts;
  readonly tools: Registry;
  /** Size of the model's context. */
  readonly contextTokens: number;
  readonly ask: <T>(
    question: Omit<ModelAsk, 'endpoint'> & {
      readonly model: ModelChoice;
      readonly check: (reply: ModelReply) => Checked<T> | Promise<Checked<T>>;
    },
  ) => Promise<ModelOutcome<T>>;
}
