import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { createPayloadCodec } from '../audit/record/keys/payload-codec.ts';
import { findPayloadKeys } from '../audit/record/keys/payload-keys.ts';
import type { Settings } from '../config/environment.ts';
import type { Mask } from '../policies/secrets/redaction.ts';

/** In the bundle of workflow code as well, where histories are encrypted. */
export const failureConverterPath = fileURLToPath(new URL('failure-converter.ts', import.meta.url));

/** How every worker of ours turns values into payloads and back. @throws KeyFileError when the keys cannot be used. */
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
