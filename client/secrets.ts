import type { Settings } from '../config/environment.ts';
import { createRedactor } from '../policies/secrets/redaction.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';
import { pickSecrets } from '../policies/secrets/values.ts';
import type { SecretValue } from '../policies/secrets/values.ts';

/** The secrets in the terminal's environment and settings. */
export const readSecrets = (
  { apiKey, secrets }: Pick<Settings, 'apiKey' | 'secrets'>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): SecretValue[] => [
  ...pickSecrets(env, secrets?.split(',')),
  ...(apiKey === undefined ? [] : [{ name: 'OPENAI_API_KEY', value: apiKey }]),
];

/** Redacts those, and secrets recognizable by form. */
export const readRedactor = (settings: Pick<Settings, 'apiKey' | 'secrets'>): Redactor =>
  createRedactor(readSecrets(settings));
