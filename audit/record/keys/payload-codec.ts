import type { Payload, PayloadCodec } from '@temporalio/common';

import { formRedactor } from '../../../policies/secrets/redaction.ts';
import type { Mask } from '../../../policies/secrets/redaction.ts';
import { isSealed, openPayload, sealPayload } from './payload-cipher.ts';
import type { PayloadKeys } from './payload-keys.ts';

export interface CodecOptions {
  /** What is taken out of every payload on its way to Temporal; secrets that show by their form if absent. */
  readonly redactor?: Mask;
  /** Seals every payload; without keys they are readable by whoever can read the server. */
  readonly keys?: PayloadKeys;
  /** True where what was sealed for another workflow is refused with an error. */
  readonly bound?: boolean;
}

/**
 * The last thing every payload passes before Temporal has it, and the first after: inputs, results, signals, updates,
 * memo, summaries. Whatever was recorded without encryption, or with an older key, is read as it is.
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

/** A value as it comes out where Temporal hands it on: what is signed must be what arrives. */
export function toSent<T>(redactor: Mask, value: T): T {
  const { data } = maskPayload(redactor, { data: Buffer.from(JSON.stringify(value)) });
  return JSON.parse(Buffer.from(data ?? []).toString()) as T;
}

/** Payloads are JSON; the text keeps its structure, and what is no text its bytes. */
function maskPayload({ mask }: Mask, payload: Payload): Payload {
  const { data } = payload;
  // Protobuf's own idea of no bytes is an empty list.
  if (!data || data.length === 0 || isSealed(payload)) return payload;
  const text = Buffer.from(data).toString('latin1');
  const masked = mask(text);
  return masked === text ? payload : { ...payload, data: Buffer.from(masked, 'latin1') };
}
