/** What a script can say: an answer or a fault, and how it is sent. */
import type { NormalAnswer, TokenCounts } from '../../demo/exchange.ts';

export interface ScriptedStep {
  readonly id: string;
  readonly title: string;
  readonly detail?: string;
  readonly dependsOn?: readonly string[];
  readonly acceptance?: readonly string[];
}

export interface ScriptedPlan {
  readonly approach?: string;
  readonly steps: readonly ScriptedStep[];
}

export interface ScriptedReview {
  readonly verdict: 'accept' | 'retry' | 'replan';
  readonly notes?: string;
}

export interface ScriptedCall {
  readonly name: string;
  /** Text is sent as is, so it can be broken JSON. */
  readonly args: Readonly<Record<string, unknown>> | string;
  readonly id?: string;
}

/** The answer; one of these per turn. */
export type Content =
  | { readonly plan: ScriptedPlan }
  | { readonly review: ScriptedReview }
  | { readonly call: readonly ScriptedCall[]; readonly text?: string }
  | { readonly text: string }
  | { readonly json: unknown }
  | { readonly finish: { readonly summary: string; readonly evidence?: string } }
  | { readonly ask: string }
  /** A call that cannot run: arguments that are not JSON, or a tool that was not offered. */
  | { readonly malformedCall: 'arguments' | 'tool' }
  /** Neither text nor calls. */
  | { readonly empty: true }
  /** An OpenAI error body; 429 and 503 may say when to retry. */
  | {
      readonly status: number;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
      readonly retryAfterMs?: number;
    }
  /** A web page with this status, as proxies and wrong ports send. */
  | { readonly html: number };

/** How the answer is sent; alone, it applies to a short text. */
export interface Manner {
  /** Waits this long before the first byte. */
  readonly delayMs?: number;
  /** Pauses this long in the middle of the body. */
  readonly stallMs?: number;
  /** Destroys the socket: before the first byte, or halfway through the body. */
  readonly cut?: 'start' | 'stream';
  /** Breaks the JSON of the body, or of an event in the middle of a stream. */
  readonly malformedJson?: true;
  /** Gives every call the same id, or none. */
  readonly wrongIds?: 'same' | 'empty';
  /** `null` leaves the counts out. */
  readonly usage?: TokenCounts | null;
  /** Ends as if it had hit the token limit. */
  readonly stopped?: 'length';
}

export type Turn = (Content & Manner) | Manner;

const fullPlan = ({ approach = 'Do it step by step.', steps }: ScriptedPlan): object => ({
  approach,
  steps: steps.map(
    ({ id, title, detail = title, dependsOn = [], acceptance = ['It is done.'] }) => ({
      id,
      title,
      detail,
      dependsOn,
      acceptance,
    }),
  ),
});

/** The answer of a turn; one with a manner alone becomes a short text. */
export function toAnswer(turn: Turn): NormalAnswer {
  if ('plan' in turn) return { json: fullPlan(turn.plan) };
  if ('review' in turn) return { json: { notes: '', ...turn.review } };
  if ('json' in turn) return { json: turn.json };
  if ('call' in turn) return { calls: turn.call, text: turn.text };
  if ('finish' in turn) {
    return { calls: [{ name: 'finish_step', args: { evidence: 'Scripted.', ...turn.finish } }] };
  }
  if ('ask' in turn) return { calls: [{ name: 'ask_human', args: { question: turn.ask } }] };
  if ('malformedCall' in turn) {
    return turn.malformedCall === 'arguments'
      ? { calls: [{ name: 'read_file', args: '{"path": "READ' }] }
      : { calls: [{ name: 'launch_rocket', args: { to: 'the moon' } }] };
  }
  if ('empty' in turn) return {};
  if ('text' in turn) return { text: turn.text };
  return { text: 'A scripted answer, long enough that there is something to damage.' };
}
