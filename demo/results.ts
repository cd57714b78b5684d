/** What the tools of the current step returned: all the demo model knows. */
import type { NormalMessage } from './exchange.ts';

export interface Result {
  readonly tool: string;
  /** The path or the command. */
  readonly of: string;
  /** `ok`, `failed` or `refused`. */
  readonly state: string;
  readonly text: string;
}

/** A result is framed by two lines; the first says which call it answers. */
const frame =
  /^<result [^\n]*\btool="(?<tool>\w+)" of="(?<of>[^"]*)" state="(?<state>\w+)"[^\n]*>\n(?<text>[^]*)\n<\/result [^\n]*>$/;

const isFinish = (message: NormalMessage): boolean =>
  message.role === 'assistant' && message.calls.some(({ name }) => name === 'finish_step');

/** Oldest first. A step that is resumed after it was reported as finished starts afresh. */
export const readResults = (messages: readonly NormalMessage[]): readonly Result[] =>
  messages
    .slice(messages.findLastIndex(isFinish) + 1)
    .flatMap(({ role, text }) => (role === 'tool' ? [frame.exec(text)?.groups] : []))
    .filter((groups) => groups !== undefined)
    .map(({ tool = '', of = '', state = '', text = '' }) => ({ tool, of, state, text }));
