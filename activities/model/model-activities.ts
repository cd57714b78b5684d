import { Context } from '@temporalio/activity';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Registry } from '../../tools/registry.ts';
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
  readonly tools: Registry;
  /** The operator's key for a model server, if given. */
  readonly keyOf: (baseUrl: string) => string | undefined;
  /** Used if the run names no endpoint. */
  readonly defaultBaseUrl: string;
  readonly spoolDir: string;
  readonly answersDir: string;
  /** Redacts what is sent to the model and what it answers; by form only if absent. */
  readonly redactor?: Redactor;
  /** The model's context in tokens; 32,768 if unknown. */
  readonly contextTokens?: number;
}

const heartbeatMs = 2_000;

/** The activities of planner, executor and reviewer. */
export function createModelActivities(dependencies: ModelDependencies): ModelActivities {
  const { blobs, tools, keyOf, defaultBaseUrl, spoolDir, contextTokens = 32_768 } = dependencies;
  const { redactor = formRedactor } = dependencies;
  const client = createModelClient({ redactor });
  const transcripts = createTranscripts(blobs);
  const answers = createAnswers(dependencies.answersDir, redactor);

  /**
   * Runs one activity: heartbeats from the start, observes cancellation, and returns a stored answer if there is one.
   */
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

    // Timer only: a fast server usually answers before the first beat is due.
    const pulse = setInterval(() => context.heartbeat(), heartbeatMs);
    const workflowId = workflowExecution?.workflowId ?? 'none';
    const spool = openSpool(spoolDir, workflowId, activityId, attempt, redactor);
    const role: Role = {
      blobs,
      transcripts,
      tools,
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
      // An aborted request throws its own error; Temporal needs to see the cancellation.
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
