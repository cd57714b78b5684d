import { createRedactor } from '../policies/secrets/redaction.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';
import { pickSecrets } from '../policies/secrets/values.ts';
import type { SecretValue } from '../policies/secrets/values.ts';

/** The secrets this process knows, in memory only, and redacts from everything it writes. */
export interface Secrets {
  readonly redactor: Redactor;
  /** Takes `{type: 'secrets', values}` and `{type: 'key', apiKey}` from the supervisor; ignores everything else. */
  accept(message: unknown): void;
}

/** Starts with the secrets in this process's environment. `named`: further variables that hold one. */
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

/** The valid values in a message from another of our processes. */
export const parseSecrets = (values: unknown): SecretValue[] =>
  Array.isArray(values)
    ? values.flatMap((given: Partial<Record<string, unknown>> | null) =>
        typeof given?.['name'] === 'string' && typeof given['value'] === 'string'
          ? [{ name: given['name'], value: given['value'] }]
          : [],
      )
    : [];
