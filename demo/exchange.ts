/** What a model is asked and what it answers, the same for both wire protocols. */

export interface NormalRequest {
  readonly model: string;
  readonly stream: boolean;
  /** The whole conversation, oldest first; instructions are a `system` message. */
  readonly messages: readonly NormalMessage[];
  readonly tools: readonly { readonly name: string }[];
  /** Name of the JSON schema the answer must follow. */
  readonly schema?: string;
  /** The answer must be JSON, with or without a schema. */
  readonly json: boolean;
  /** The client asked for the usage chunk at the end of a chat stream. */
  readonly includeUsage: boolean;
  /** The body as it came. */
  readonly body: Readonly<Record<string, unknown>>;
}

export type NormalMessage =
  | { readonly role: 'system' | 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly PastCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly text: string };

/** A tool call of an earlier turn, as the client sent it back. */
export interface PastCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, unchecked. */
  readonly args: string;
}

/** Text, tool calls or both; `json` is sent as the text of the answer. */
export interface NormalAnswer {
  readonly text?: string;
  readonly json?: unknown;
  readonly calls?: readonly AnswerCall[];
  /** Absent: estimated from the length of the texts. `null`: the server reports none. */
  readonly usage?: TokenCounts | null;
  /** Set when the token limit cut the answer. */
  readonly stopped?: 'length';
}

export interface AnswerCall {
  readonly name: string;
  /** An object becomes JSON; text is sent as is, JSON or not. */
  readonly args: Readonly<Record<string, unknown>> | string;
  /** A fresh one if absent. */
  readonly id?: string;
}

export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A request the server turns down; sent as an OpenAI error body. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
