import type { Payload, PayloadCodec } from '@temporalio/common';

import { formRedactor } from '../../../policies/secrets/redaction.ts';
import type { Mask } from '../../../policies/secrets/redaction.ts';
import { isSealed, openPayload, sealPayload } from './payload-cipher.ts';
import type { PayloadKeys } from './payload-keys.ts';

export interface CodecOptions {
  /** Redacts every payload on its way to Temporal; by form only, if absent. */
  readonly redactor?: Mask;
  /** Seals every payload; without keys, anyone who can read the server can read them. */
  readonly keys?: PayloadKeys;
  /** Refuse, with an error, what was sealed for another workflow. */
  readonly bound?: boolean;
}

/**
 * Last step before Temporal and first step after it, for every payload: inputs, results, signals, updates, memo,
 * summaries. Unencrypted payloads and those with older keys stay readable.
 */
export function createPayloadCodec({
  redactor = formRedactor,
  keys,
  bound = false,
}: CodecOptions): PayloadCodec {
  return {
    async encode(payloads, context) {
      return payloads.map((payload) => {
        const masked = maskPayload(redactor, payload);
        return keys === undefined ? masked : sealPayload(keys, masked, context);
      });
    },
    async decode(payloads, context) {
      return payloads.map((payload) =>
        isSealed(payload) ? openPayload(keys, payload, bound ? context : undefined) : payload,
      );
    },
  };
}

/** A value as it will arrive: sign this, not the original. */
export function toSent<T>(redactor: Mask, value: T): T {
  const { data } = maskPayload(redactor, { data: Buffer.from(JSON.stringify(value)) });
  return JSON.parse(Buffer.from(data ?? []).toString()) as T;
}

/** Redacts text payloads, which are JSON and stay so; binary data is unchanged. */
function maskPayload({ mask }: Mask, payload: Payload): Payload {
  const { data } = payload;
  // Protobuf may represent no bytes as an empty list.
  if (!data || data.length === 0 || isSealed(payload)) return payload;
  const text = Buffer.from(data).toString('latin1');
  const masked = mask(text);
  return masked === text ? payload : { ...payload, data: Buffer.from(masked, 'latin1') };
}
