/** What the tools of the current attempt really returned: the only thing the demo model knows. */
import type { NormalMessage, PastCall } from './exchange.ts';

export interface Observed {
  readonly tool: string;
  /** Text arguments only. */
  readonly args: Readonly<Record<string, string>>;
  /** What came back, without wrapping and line numbers; empty when nothing did. */
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

const isFence = (line: string): boolean => /^(<.+>|\[.+\]|-{3,}.*|={3,}.*|```\w*)$/.test(line);

/** Results come wrapped as data, so that nobody takes them for instructions: the frame is a line above and below. */
function unwrap(text: string): { readonly frame: string; readonly body: string } {
  const lines = text.trim().split('\n');
  const top = isFence(lines[0]?.trim() ?? '') ? (lines.shift() ?? '') : '';
  const bottom = top !== '' && isFence(lines.at(-1)?.trim() ?? '') ? (lines.pop() ?? '') : '';
  return { frame: `${top}\n${bottom}`, body: lines.join('\n') };
}

/** Numbers in front of every line, one more each time, are the tool's and not the file's. */
function stripLineNumbers(text: string): string {
  const lines = text.split('\n');
  const numbers = lines.map((line) =>
    Number(/^\s*(\d+)(?:[\t|:→]|  )/u.exec(line)?.[1] ?? Number.NaN),
  );
  const isNumbered = numbers.every((number, index) => number === (numbers[0] ?? 0) + index);
  if (!isNumbered) return text;
  return lines.map((line) => line.replace(/^\s*\d+(?:[\t|:→]|  ) ?/u, '')).join('\n');
}

const failure =
  /^\W*(error|denied|refused|failed|failure|not allowed|not permitted|cannot|could not|no such|not run|there is no)\b/i;

/** The frame of dev-agent names the state; of other frames and bare texts the first line is believed. */
function hasFailed(frame: string, body: string): boolean {
  const state = /\bstate="(\w+)"/.exec(frame)?.[1];
  if (state !== undefined) return state !== 'ok';
  if (/\bok\s*[=:]\s*"?true/i.test(frame)) return false;
  const first = body.trimStart().split('\n', 1)[0] ?? '';
  return (
    /\bok\s*[=:]\s*"?false|\b(failed|denied|refused|error)\b/i.test(frame) ||
    failure.test(first) ||
    /\bexit(?:ed)?(?:[ _-]?(?:with|code|status))*\W{0,3}[1-9]/i.test(`${frame}\n${first}`)
  );
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

function toObserved(call: PastCall, results: ReadonlyMap<string, string>): Observed {
  const { frame, body } = unwrap(results.get(call.id) ?? '');
  return {
    tool: call.name,
    args: parseArgs(call),
    text: call.name === 'read_file' ? stripLineNumbers(body) : body,
    ok: results.has(call.id) && !hasFailed(frame, body),
  };
}
