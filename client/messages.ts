/** Signs messages to a run: it accepts only the operator's. */
import { randomUUID } from 'node:crypto';
import type { MessageKind, Proof } from '../activities/contract/messages.ts';
import {
  ensureOperatorKey,
  followApprovers,
  toPublicFile,
} from '../audit/record/keys/approvers.ts';
import { hashOf } from '../audit/record/blobs.ts';
import { signMessage } from '../audit/record/keys/order-signature.ts';
import { toSent } from '../audit/record/keys/payload-codec.ts';
import { toKeyFile } from '../audit/record/keys/signing-key.ts';
import type { SigningKey } from '../audit/record/keys/signing-key.ts';
import { readSettings } from '../config/environment.ts';
import type { Settings } from '../config/environment.ts';
import type { RunClient } from './run-client.ts';
import { ClientError, invalid } from './errors.ts';
import { readRedactor } from './secrets.ts';
import { readUser, toCluster } from './connect.ts';
import { readStack } from './stack/file.ts';

const maxMessageChars = 4_000;

/** @throws ClientError if the message, after redaction, is longer than a run accepts. */
export function checkLength({ length }: string): void {
  if (length > maxMessageChars)
    throw invalid(
      `The message is ${length} characters long, with secrets masked; at most ${maxMessageChars} are accepted.`,
    );
}

/** Signs a message for a run; undefined for one older than signed orders. */
export async function prove(
  client: RunClient,
  run: string,
  message: { readonly what: MessageKind; readonly by: string; readonly about?: string },
  onProgress: (line: string) => void,
): Promise<Proof | undefined> {
  const order = (await client.describe(run))?.order;
  if (order === undefined) return undefined;
  const key = await ensureOperatorKey(toKeyFile(process.env, 'operator'));
  checkApprover(key, onProgress);
  return signMessage(key, { ...message, run, order, nonce: randomUUID(), sent: Date.now() });
}

/** @throws ClientError if the local stack would not accept the key's signature. */
function checkApprover({ id }: SigningKey, onProgress: (line: string) => void): void {
  const settings = readSettings();
  // A cluster's workers have their own file.
  if (toCluster(settings) !== undefined) return;
  const file = readStack(settings)?.environment?.['AGENT_APPROVERS'] ?? settings.approvers;
  if (followApprovers(file, onProgress)().some((key) => key.id === id)) return;
  const own = toPublicFile(toKeyFile(process.env, 'operator'));
  throw new ClientError(
    `Not sent: your key ${id} is not in ${file}, so no run would accept it. To add it, as the user who started the stack: cat ${own} >> ${file}`,
    'configuration',
  );
}

/** The run a message is for, and how to reach it. */
export interface Recipient {
  readonly client: RunClient;
  readonly settings: Settings;
  readonly run: string;
  readonly onProgress: (line: string) => void;
}

/**
 * Sends a redacted message to a run: the answer to its question `to` or, if `to` is empty, a message of its own. False
 * if the run is not open. @throws ClientError if it is too long.
 */
export async function sayTo(
  { client, settings, run, onProgress }: Recipient,
  typed: string,
  to: string,
): Promise<boolean> {
  const { sayToRun } = await import('../workflows/contract.ts');
  const by = readUser();
  // Sign what arrives.
  const text = toSent(readRedactor(settings), typed);
  checkLength(text);
  const about = hashOf(JSON.stringify([text, to]));
  const proof = await prove(client, run, { what: 'say', by, about }, onProgress);
  return await client.signal(run, sayToRun, text, by, to, proof);
}
