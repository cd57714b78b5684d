import { readSettings } from '../../../config/environment.ts';
import { findPayloadKeys } from './payload-keys.ts';
import type { PayloadKeys } from './payload-keys.ts';

const read = new Map<string, PayloadKeys>();

/**
 * The keys of the settings, for reading what is encrypted; undefined when there are none. Asked for only where something
 * is, and read once. @throws KeyFileError when the file cannot be used.
 */
export function readConfiguredKeys(): PayloadKeys | undefined {
  const settings = readSettings({ cwd: '/' });
  const known = read.get(settings.payloadKeys ?? '') ?? findPayloadKeys(settings);
  if (known !== undefined) read.set(known.file, known);
  return known;
}
