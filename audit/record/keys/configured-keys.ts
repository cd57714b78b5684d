import { readSettings } from '../../../config/environment.ts';
import { findPayloadKeys } from './payload-keys.ts';
import type { PayloadKeys } from './payload-keys.ts';

const read = new Map<string, PayloadKeys>();

/**
 * The configured keys for decryption; undefined if there are none. Call it only when something is encrypted; reads
 * once. @throws KeyFileError if the file is unusable.
 */
export function readConfiguredKeys(): PayloadKeys | undefined {
  const settings = readSettings({ cwd: '/' });
  const known = read.get(settings.payloadKeys ?? '') ?? findPayloadKeys(settings);
  if (known !== undefined) read.set(known.file, known);
  return known;
}
