import type { Settings } from '../config/environment.ts';

/** Keys of model servers, only in this process's memory. */
export interface Keyring {
  /** The key for the server at this base URL, if any. */
  keyOf(baseUrl: string): string | undefined;
  /** Takes `{type: 'key', baseUrl, apiKey}` from the supervisor; ignores everything else. */
  accept(message: unknown): void;
}

const toName = (baseUrl: string): string => baseUrl.replace(/\/+$/, '');

/** Starts with the operator's own key. A key is never sent to another server than its own. */
export function createKeyring({ baseUrl, apiKey }: Pick<Settings, 'baseUrl' | 'apiKey'>): Keyring {
  const keys = new Map<string, string>();
  if (apiKey !== undefined) keys.set(toName(baseUrl), apiKey);
  return {
    keyOf: (asked) => keys.get(toName(asked)),
    accept(message) {
      if (typeof message !== 'object' || message === null) return;
      const { type, baseUrl: server, apiKey: key } = message as Record<string, unknown>;
      if (type === 'key' && typeof server === 'string' && typeof key === 'string') {
        keys.set(toName(server), key);
      }
    },
  };
}
