import { createRedactor } from '../policies/secrets/redaction.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';
import { pickSecrets } from '../policies/secrets/values.ts';
import type { SecretValue } from '../policies/secrets/values.ts';

/** What this process knows of secrets, in memory only, and takes out of everything it writes. */
export interface Secrets {
  readonly redactor: Redactor;
  /** Takes `{type: 'secrets', values}` and `{type: 'key', apiKey}` as the supervisor sends them; ignores everything else. */
  accept(message: unknown): void;
}

/** Knows the secrets of this process's environment from the start. `named`: further variables that hold one. */
export function createSecrets(
  env: Readonly<Record<string, string | undefined>>,
  named: readonly string[] = [],
): Secrets {
  const redactor = createRedactor(pickSecrets(env, named));
  return {
    redactor,
    accept(message) {
      if (typeof message !== 'object' || message === null) return;
      const { type, values, apiKey } = message as Record<string, unknown>;
      if (type === 'secrets') redactor.add(parseSecrets(values));
      if (type === 'key' && typeof apiKey === 'string')
        redactor.add([{ name: 'OPENAI_API_KEY', value: apiKey }]);
    },
  };
}

/** The values in what another process of ours sent; others are left out. */
export const parseSecrets = (values: unknown): SecretValue[] =>
  Array.isArray(values)
    ? values.flatMap((given: Partial<Record<string, unknown>> | null) =>
        typeof given?.['name'] === 'string' && typeof given['value'] === 'string'
          ? [{ name: given['name'], value: given['value'] }]
          : [],
      )
    : [];
