/** What commands say to a run counts there only with the operator's signature. */
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

/** @throws ClientError when a message, secrets in it masked, is longer than a run takes. */
export function checkLength({ length }: string): void {
  if (length > maxMessageChars)
    throw invalid(
      `The message is ${length} characters long, with secrets masked; at most ${maxMessageChars} are accepted.`,
    );
}

/** Signs a message for a run; undefined for one that began before runs were announced. */
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

/** @throws ClientError when the local stack would not count what the key signs. */
function checkApprover({ id }: SigningKey, onProgress: (line: string) => void): void {
  const settings = readSettings();
  // A cluster's workers have a file of their own.
  if (toCluster(settings) !== undefined) return;
  const file = readStack(settings)?.environment?.['AGENT_APPROVERS'] ?? settings.approvers;
  if (followApprovers(file, onProgress)().some((key) => key.id === id)) return;
  const own = toPublicFile(toKeyFile(process.env, 'operator'));
  throw new ClientError(
    `Not sent: your key ${id} is not in ${file}, so no run would accept it. To add it, as whoever started the stack: cat ${own} >> ${file}`,
    'configuration',
  );
}

/** The run that is spoken to, and what leads to it. */
export interface Recipient {
  readonly client: RunClient;
  readonly settings: Settings;
  readonly run: string;
  readonly onProgress: (line: string) => void;
}

/** Says something to a run, as the answer to a question of it or (`to` empty) of itself, without the secrets in it. False when the run is not open. @throws ClientError when it is too long. */
export async function sayTo(
  { client, settings, run, onProgress }: Recipient,
  typed: string,
  to: string,
): Promise<boolean> {
  const { sayToRun } = await import('../workflows/contract.ts');
  const by = readUser();
  // What is signed is what arrives.
  const text = toSent(readRedactor(settings), typed);
  checkLength(text);
  const about = hashOf(JSON.stringify([text, to]));
  const proof = await prove(client, run, { what: 'say', by, about }, onProgress);
  return await client.signal(run, sayToRun, text, by, to, proof);
}
