import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { createPayloadCodec } from '../audit/record/keys/payload-codec.ts';
import { findPayloadKeys } from '../audit/record/keys/payload-keys.ts';
import type { Settings } from '../config/environment.ts';
import type { Mask } from '../policies/secrets/redaction.ts';

/** Also bundled with the workflow code if histories are encrypted. */
export const failureConverterPath = fileURLToPath(new URL('failure-converter.ts', import.meta.url));

/** How our workers convert between values and payloads. @throws KeyFileError if the keys are unusable. */
export function createDataConverter(
  settings: Pick<Settings, 'payloadKeys' | 'origins'>,
  redactor: Mask,
): DataConverter {
  const keys = findPayloadKeys(settings);
  return {
    payloadCodecs: [createPayloadCodec({ redactor, keys })],
    failureConverterPath: keys === undefined ? undefined : failureConverterPath,
  };
}
