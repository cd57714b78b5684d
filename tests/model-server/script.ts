/** Which turn of a script comes next. */
import { createHash } from 'node:crypto';
import type { NormalRequest } from '../../demo/exchange.ts';
import { WireError } from '../../demo/exchange.ts';
import type { Turn } from './turns.ts';

export type Role = 'planner' | 'executor' | 'reviewer' | 'other';

/**
 * A list is used up request by request, whatever the role. A list per role repeats its last turn and answers an identical
 * request the same way again, so retries do not shift the script. A function decides from the request and from how often
 * that same request came before.
 */
export type Script = readonly Turn[] | RoleScript | ((request: SeenRequest, seen: number) => Turn);

export interface RoleScript {
  readonly planner?: readonly Turn[];
  readonly executor?: readonly Turn[];
  readonly reviewer?: readonly Turn[];
  /** Requests without schema and tools, such as a probe. */
  readonly other?: readonly Turn[];
}

export interface SeenRequest extends NormalRequest {
  readonly role: Role;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** By schema name or tools; for servers without schemas, by the JSON the prompt asks for. */
export function findRole({ schema, tools, json, messages }: NormalRequest): Role {
  if (schema === 'plan') return 'planner';
  if (schema === 'review') return 'reviewer';
  if (tools.length > 0) return 'executor';
  const text = messages.map((message) => message.text).join('\n');
  if (/"?verdict"?/.test(text) && /replan/.test(text)) return 'reviewer';
  if (json || /"steps"/.test(text)) return 'planner';
  return 'other';
}

const hasAnswer = (turn: Turn): boolean =>
  !('status' in turn || 'html' in turn || 'cut' in turn || 'malformedJson' in turn);

const isDelayOnly = (turn: Turn): boolean => Object.keys(turn).join() === 'delayMs';

const hashRequest = ({ messages, role, model }: SeenRequest): string =>
  createHash('sha256')
    .update(JSON.stringify([messages, role, model]))
    .digest('hex');

/** A cursor through one script. @throws WireError 400 when the script has run out. */
export function createTurns(script: Script): (request: SeenRequest) => Turn {
  const answered = new Map<string, Turn>();
  const counts = new Map<string, number>();
  const cursors = new Map<string, number>();

  const take = (name: string, turns: readonly Turn[], repeatsLast: boolean): Turn => {
    const at = cursors.get(name) ?? 0;
    cursors.set(name, at + 1);
    const turn = turns[at] ?? (repeatsLast ? turns.at(-1) : undefined);
    if (turn === undefined) {
      throw new WireError(
        400,
        `The script has no turn ${at + 1} for ${name}: it has ${turns.length}.`,
      );
    }
    if (!isDelayOnly(turn) || (repeatsLast && at >= turns.length - 1)) return turn;
    return { ...take(name, turns, repeatsLast), ...turn };
  };

  return (request) => {
    const hash = hashRequest(request);
    if (typeof script === 'function') {
      const seen = counts.get(hash) ?? 0;
      counts.set(hash, seen + 1);
      return script(request, seen);
    }
    if (isList(script)) return take('any request', script, false);
    const known = answered.get(hash);
    if (known !== undefined) return known;
    const turn = take(request.role, script[request.role] ?? [], true);
    if (hasAnswer(turn)) answered.set(hash, turn);
    return turn;
  };
}

const isList = (script: readonly Turn[] | RoleScript): script is readonly Turn[] =>
  Array.isArray(script);
