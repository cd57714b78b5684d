/** The blobs a record names, directly or inside the payloads of a history event. */
import { isRef } from './blobs.ts';
import { decodePayload } from '../mirror/history-json.ts';
import type { PayloadJson } from '../mirror/history-json.ts';
import { PayloadKeyError } from './keys/payload-cipher.ts';

// Only a whole JSON string: text quoting a digest, such as a container image's, is not a reference.
const refInLine = /(?<!\\)(?<!"(?:digest|policy)":)"(sha256:[0-9a-f]{64})"/g;

const word = 'sha256:';

/** The word in base64 at each offset within a three-byte group, because decoding every payload would cost more. */
const encodedWords = [0, 1, 2].map((offset) => {
  const text = Buffer.from('\0'.repeat(offset) + word).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + word.length) * 8) / 6));
});

/** Members whose strings are not refs, or are the model's own words. */
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

/** Decrypts the payloads of an encrypted history, wherever they are in the record. */
const collectSealed = (value: unknown, refs: string[]): void => {
  if (Array.isArray(value)) for (const item of value) collectSealed(item, refs);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  if ('metadata' in value && 'data' in value) collect(decodePayload(value as PayloadJson), refs);
  else for (const item of Object.values(value)) collectSealed(item, refs);
};

/** Refs readable without an encrypted history's keys. */
export const findOpenRefs = (text: string): string[] => {
  try {
    return findRefs(text);
  } catch (error) {
    if (error instanceof PayloadKeyError) return [];
    throw error;
  }
};

/** Refs in a record's line. @throws PayloadKeyError if it is encrypted and the key is missing. */
export const findRefs = (text: string): string[] => {
  const refs: string[] = [];
  if (text.includes('"sha256:')) {
    for (const [, ref] of text.matchAll(refInLine)) if (ref !== undefined) refs.push(ref);
  }
  if (text.includes(sealedMark)) collectSealed(JSON.parse(text), refs);
  if (encodedWords.some((encoded) => text.includes(encoded))) collectPayloads(text, refs);
  return refs;
};

/** Everything in a blob that looks like a ref; it is one if such a blob exists. */
export const findMentions = (bytes: Buffer): string[] =>
  bytes.includes(word) ? (bytes.toString('latin1').match(/sha256:[0-9a-f]{64}/g) ?? []) : [];
