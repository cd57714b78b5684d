import type { ReplyCall } from './conversation.ts';

/** A piece of a streamed tool call; any part may be missing. */
export interface CallDelta {
  readonly index?: number | null;
  readonly id?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: unknown };
}

interface Growing {
  id: string;
  name: string;
  arguments: string;
}

/**
 * Assembles tool calls from their pieces, in the order they began. Some servers omit the index or id, give every call
 * index 0, repeat the name in each piece, or send arguments as an object.
 */
export function collectCalls() {
  const calls: Growing[] = [];
  // Not an array: the server chooses the index, and an array would be as long as the largest.
  const byIndex = new Map<number, Growing>();

  const find = ({ index, id, function: piece }: CallDelta): Growing => {
    const known = typeof index === 'number' ? byIndex.get(index) : calls.at(-1);
    const another = hasText(id) && hasText(known?.id) && id !== known?.id;
    // Without an index, a name after complete arguments starts the next call.
    const next =
      typeof index !== 'number' && !hasText(id) && hasText(piece?.name) && isJson(known?.arguments);
    if (known !== undefined && !another && !next) return known;
    const call: Growing = { id: '', name: '', arguments: '' };
    calls.push(call);
    if (typeof index === 'number') byIndex.set(index, call);
    return call;
  };

  return {
    add(delta: CallDelta): void {
      const call = find(delta);
      const { name, arguments: args } = delta.function ?? {};
      if (call.id === '') call.id = delta.id ?? '';
      if (hasText(name) && name !== call.name) call.name += name;
      if (typeof args === 'string') call.arguments += args;
      else if (args !== undefined && args !== null) call.arguments += JSON.stringify(args);
    },
    calls: (): ReplyCall[] => calls.map((call) => ({ ...call })),
  };
}

const hasText = (text: unknown): text is string => typeof text === 'string' && text !== '';

function isJson(text: string | undefined): boolean {
  try {
    JSON.parse(text ?? '');
    return true;
  } catch {
    return false;
  }
}
