/** AES-256-GCM for payloads in Temporal's history. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, SerializationContext } from '@temporalio/common';

import type { PayloadKeys } from './payload-keys.ts';

const encoding = 'binary/encrypted';
/** Metadata key naming the workflow a payload belongs to. */
const place = 'encryption-context';
const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** A payload cannot be decrypted with the available keys; the message says which key is missing and where to put it. */
export class PayloadKeyError extends Error {
  override readonly name = 'PayloadKeyError';
  readonly exitCode = 78;
}

const toText = (bytes: Uint8Array | null | undefined): string =>
  bytes ? Buffer.from(bytes).toString('utf8') : '';

/** True for payloads sealed here; other encryption uses keys we do not have. */
export const isSealed = ({ metadata }: Payload): boolean =>
  toText(metadata?.['encoding']) === encoding && metadata?.['encryption-key-id'] !== undefined;

/** The whole payload as bytes: its metadata as a line of JSON, then its data. */
function toBytes({ metadata, data }: Payload): Buffer {
  const named = Object.entries(metadata ?? {}).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  return Buffer.concat([Buffer.from(`${JSON.stringify(named)}\n`), Buffer.from(data ?? [])]);
}

function fromBytes(bytes: Buffer): Payload {
  const end = bytes.indexOf(10);
  const named = JSON.parse(bytes.toString('utf8', 0, end)) as [string, string][];
  return {
    metadata: Object.fromEntries(named.map(([name, text]) => [name, Buffer.from(text, 'base64')])),
    data: bytes.subarray(end + 1),
  };
}

/** Namespace and workflow id of a payload, if known. */
const toPlace = (context: SerializationContext | undefined): string | undefined =>
  context?.workflowId === undefined || context.workflowId === ''
    ? undefined
    : `${context.namespace}\n${context.workflowId}`;

/** Authenticated data: stops a payload from being relabelled with another key or moved to another workflow. */
const toChecked = (id: string, where: string | undefined): Buffer =>
  Buffer.from(where === undefined ? id : `${id}\n${where}`);

/** Seals a payload with the active key, bound to its workflow. Already sealed ones are returned unchanged. */
export function sealPayload(
  { active }: PayloadKeys,
  payload: Payload,
  context?: SerializationContext,
): Payload {
  if (isSealed(payload)) return payload;
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, active.key, nonce);
  const where = toPlace(context);
  sealing.setAAD(toChecked(active.id, where));
  const data = Buffer.concat([
    nonce,
    sealing.update(toBytes(payload)),
    sealing.final(),
    sealing.getAuthTag(),
  ]);
  const metadata: Record<string, Uint8Array> = {
    encoding: Buffer.from(encoding),
    'encryption-key-id': Buffer.from(active.id),
  };
  if (where !== undefined) metadata[place] = Buffer.from(where);
  return { metadata, data };
}

/**
 * With a `context`, opens only payloads sealed for its workflow, or for none, as earlier versions did. @throws
 * PayloadKeyError if the key is missing or wrong, or the payload belongs to another workflow.
 */
export function openPayload(
  keys: PayloadKeys | undefined,
  payload: Payload,
  context?: SerializationContext,
): Payload {
  const id = toText(payload.metadata?.['encryption-key-id']);
  if (keys === undefined) {
    throw new PayloadKeyError(
      `The history is encrypted with key "${id}", and no keys are set. Name the file that holds it: AGENT_PAYLOAD_KEYS=<file>. On the machine it comes from, that is ~/.config/dev-agent/keys/payload-keys if no other was set.`,
    );
  }
  const key = keys.find(id);
  if (key === undefined) {
    throw new PayloadKeyError(
      `The history is encrypted with key "${id}", which is not in ${keys.file}; it has ${keys.ids.join(', ')}. Add the key to the file.`,
    );
  }
  const named = payload.metadata?.[place];
  const where = named === undefined || named === null ? undefined : toText(named);
  const wanted = toPlace(context);
  if (where !== undefined && wanted !== undefined && where !== wanted) {
    const [of, not] = [where, wanted].map((text) => text.split('\n')[1]);
    throw new PayloadKeyError(
      `The history of ${not} contains a payload encrypted for ${of}: someone put it there.`,
    );
  }
  const data = Buffer.from(payload.data ?? []);
  try {
    const opening = createDecipheriv(cipher, key, data.subarray(0, nonceBytes));
    opening.setAAD(toChecked(id, where));
    opening.setAuthTag(data.subarray(-tagBytes));
    return fromBytes(
      Buffer.concat([opening.update(data.subarray(nonceBytes, -tagBytes)), opening.final()]),
    );
  } catch {
    throw new PayloadKeyError(
      `The history cannot be read with key "${id}" of ${keys.file}: it was encrypted with another key of that name, or changed since. Put the right key in the file.`,
    );
  }
}
