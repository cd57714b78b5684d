/** Blobs that a record names: as a member of its own, or inside the payloads of a history event. */
import { isRef } from './blobs.ts';
import { decodePayload } from '../mirror/history-json.ts';
import type { PayloadJson } from '../mirror/history-json.ts';
import { PayloadKeyError } from './keys/payload-cipher.ts';

// A whole JSON string only: text that quotes a digest, such as that of a container image, is no reference.
const refInLine = /(?<!\\)(?<!"(?:digest|policy)":)"(sha256:[0-9a-f]{64})"/g;

const word = 'sha256:';

/** The word as it looks in base64, by its place within a group of three bytes: decoding every payload would cost more. */
const encodedWords = [0, 1, 2].map((offset) => {
  const text = Buffer.from('\0'.repeat(offset) + word).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + word.length) * 8) / 6));
});

/** Members whose strings are not references, or the model's own words. */
const others = new Set(['digest', 'policy', 'args']);

const collect = (value: unknown, refs: string[]): void => {
  if (typeof value === 'string') {
    if (isRef(value)) refs.push(value);
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, refs);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) if (!others.has(key)) collect(item, refs);
  }
};

const payloadStart = '"data":"';

const collectPayloads = (text: string, refs: string[]): void => {
  for (let at = text.indexOf(payloadStart); at !== -1; at = text.indexOf(payloadStart, at + 1)) {
    const start = at + payloadStart.length;
    const bytes = Buffer.from(text.slice(start, text.indexOf('"', start)), 'base64');
    if (!bytes.includes(word)) continue;
    try {
      collect(JSON.parse(bytes.toString('utf8')), refs);
    } catch {
      continue; // Not JSON.
    }
  }
};

const sealedMark = `"encoding":"${Buffer.from('binary/encrypted').toString('base64')}"`;

/** The payloads of an encrypted history are opened, wherever they are in the record. */
const collectSealed = (value: unknown, refs: string[]): void => {
  if (Array.isArray(value)) for (const item of value) collectSealed(item, refs);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  if ('metadata' in value && 'data' in value) collect(decodePayload(value as PayloadJson), refs);
  else for (const item of Object.values(value)) collectSealed(item, refs);
};

/** Refs that can be read without the keys of an encrypted history. */
export const findOpenRefs = (text: string): string[] => {
  try {
    return findRefs(text);
  } catch (error) {
    if (error instanceof PayloadKeyError) return [];
    throw error;
  }
};

/** Refs in the line of a record. @throws PayloadKeyError when it is encrypted and the key is not there. */
export const findRefs = (text: string): string[] => {
  const refs: string[] = [];
  if (text.includes('"sha256:')) {
    for (const [, ref] of text.matchAll(refInLine)) if (ref !== undefined) refs.push(ref);
  }
  if (text.includes(sealedMark)) collectSealed(JSON.parse(text), refs);
  if (encodedWords.some((encoded) => text.includes(encoded))) collectPayloads(text, refs);
  return refs;
};

/** Everything in a blob that looks like a ref: it is one where there is such a blob. */
export const findMentions = (bytes: Buffer): string[] =>
  bytes.includes(word) ? (bytes.toString('latin1').match(/sha256:[0-9a-f]{64}/g) ?? []) : [];
