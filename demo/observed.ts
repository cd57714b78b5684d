/** What the tools of the current attempt really returned: the only thing the demo model knows. */
import type { NormalMessage, PastCall } from './exchange.ts';

export interface Observed {
  readonly tool: string;
  /** Text arguments only. */
  readonly args: Readonly<Record<string, string>>;
  /** What came back, without its frame; empty when nothing did. */
  readonly text: string;
  /** False when the tool was refused, failed or has no result. */
  readonly ok: boolean;
}

function parseArgs(call: PastCall): Observed['args'] {
  try {
    const entries = Object.entries(JSON.parse(call.args) as Record<string, unknown>);
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return {};
  }
}

/** Results come framed as data: a line that ends with their state, the text, a line that closes the frame. */
function unframe(text: string): { readonly state?: string; readonly body: string } {
  const top = text.slice(0, Math.max(text.indexOf('\n'), 0));
  const state = /^<result .*\bstate="(\w+)"/.exec(top)?.[1];
  if (state === undefined) return { body: text };
  return { state, body: text.slice(top.length + 1).replace(/\n<\/result\b[^\n]*>$/, '') };
}

/** What a bare text begins with when it is no result. */
const failure = /^\W*(error|denied|refused|failed|cannot|could not|this call was not run)\b/i;

function toObserved(call: PastCall, results: ReadonlyMap<string, string>): Observed {
  const text = results.get(call.id) ?? '';
  const { state, body } = unframe(text);
  return {
    tool: call.name,
    args: parseArgs(call),
    text: body,
    ok: results.has(call.id) && (state === undefined ? !failure.test(text) : state === 'ok'),
  };
}

const isFinish = (message: NormalMessage): boolean =>
  message.role === 'assistant' && message.calls.some(({ name }) => name === 'finish_step');

/** Calls of one attempt in order, each with its result. A finished step that is taken up again starts afresh. */
export function readObserved(messages: readonly NormalMessage[]): readonly Observed[] {
  const attempt = messages.slice(messages.findLastIndex(isFinish) + 1);
  const results = new Map<string, string>();
  for (const message of attempt) {
    if (message.role === 'tool') results.set(message.callId, message.text);
  }
  return attempt.flatMap((message) =>
    message.role !== 'assistant' ? [] : message.calls.map((call) => toObserved(call, results)),
  );
}
