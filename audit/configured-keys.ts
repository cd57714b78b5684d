import { readSettings } from '../config/environment.ts';
import { readPayloadKeys } from './payload-keys.ts';
import type { PayloadKeys } from './payload-keys.ts';

const read = new Map<string, PayloadKeys>();

/**
 * The keys of the settings, for reading what is encrypted; undefined when none are set. Asked for only where something
 * is, and read once. @throws KeyFileError when the file cannot be used.
 */
export function readConfiguredKeys(): PayloadKeys | undefined {
  const { payloadKeys: file } = readSettings({ cwd: '/' });
  if (file === undefined) return undefined;
  const known = read.get(file) ?? readPayloadKeys(file);
  read.set(file, known);
  return known;
}
