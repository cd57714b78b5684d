import { Context } from '@temporalio/activity';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { ModelActivities, ModelOutcome } from '../contract/model.ts';
import { createAnswers } from './answers.ts';
import { createModelClient } from './client.ts';
import { askUntilUsable } from './outcome.ts';
import { askPlan } from './plan.ts';
import { askReview } from './review.ts';
import type { Role } from './role.ts';
import { openSpool } from './spool.ts';
import { askThink } from './think.ts';
import { createTranscripts } from './transcript.ts';

export interface ModelDependencies {
  readonly blobs: BlobStore;
  /** The key for a model server, if the operator gave one. */
  readonly keyOf: (baseUrl: string) => string | undefined;
  /** Used when the run names no endpoint. */
  readonly defaultBaseUrl: string;
  readonly spoolDir: string;
  readonly answersDir: string;
  /** Takes secrets out of what is sent to the model, and of what it answers; by their form if absent. */
  readonly redactor?: Redactor;
  /** Context of the model in tokens; 32,768 if unknown. */
  readonly contextTokens?: number;
}

const heartbeatMs = 2_000;

/** The activities of planner, executor and reviewer. */
export function createModelActivities(dependencies: ModelDependencies): ModelActivities {
  const { blobs, keyOf, defaultBaseUrl, spoolDir, contextTokens = 32_768 } = dependencies;
  const { redactor = formRedactor } = dependencies;
  const client = createModelClient({ redactor });
  const transcripts = createTranscripts(blobs);
  const answers = createAnswers(dependencies.answersDir, redactor);

  /** Runs one activity: heartbeats from the first moment, hears cancellation, and gives a stored answer back. */
  const perform = async <T>(
    request: { readonly run: string },
    work: (role: Role) => Promise<ModelOutcome<T>>,
  ): Promise<ModelOutcome<T>> => {
    const context = Context.current();
    const { activityId, attempt, workflowExecution } = context.info;
    const execution = `${workflowExecution?.workflowId ?? ''}/${workflowExecution?.runId ?? ''}`;
    const key = `${execution}/${activityId}/${JSON.stringify(request)}`;
    const stored = attempt === 1 ? undefined : await answers.read<ModelOutcome<T>>(key);
    if (stored !== undefined) return stored;

    // By timer only: most answers of a fast server are there before the first beat is due.
    const pulse = setInterval(() => context.heartbeat(), heartbeatMs);
    const workflowId = workflowExecution?.workflowId ?? 'none';
    const spool = openSpool(spoolDir, workflowId, activityId, attempt, redactor);
    const role: Role = {
      blobs,
      transcripts,
      contextTokens,
      ask({ model, check, ...rest }) {
        const baseUrl = model.baseUrl ?? defaultBaseUrl;
        const apiKey = keyOf(baseUrl);
        const endpoint = { baseUrl, model: model.model, apiKey, forceChat: model.forceChat };
        const listener = { signal: context.cancellationSignal, onPiece: spool.add };
        return askUntilUsable({ ask: { ...rest, endpoint }, check }, { client, listener, attempt });
      },
    };
    try {
      const outcome = await work(role);
      if (outcome.kind === 'answer') answers.write(key, outcome);
      return outcome;
    } catch (error) {
      // An aborted request reports itself in its own words; Temporal wants to hear of the cancellation.
      context.cancellationSignal.throwIfAborted();
      throw error;
    } finally {
      clearInterval(pulse);
      await spool.end();
    }
  };

  return {
    plan: (request) => perform(request, (role) => askPlan(role, request)),
    think: (request) => perform(request, (role) => askThink(role, request)),
    review: (request) => perform(request, (role) => askReview(role, request)),
  };
}
