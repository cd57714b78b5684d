/** What commands say to a run counts there only with the operator's signature. */
import { randomUUID } from 'node:crypto';
import type { MessageKind, Proof } from '../activities/messages.ts';
import { ensureOperatorKey } from '../audit/approvers.ts';
import { hashOf } from '../audit/blobs.ts';
import { signMessage } from '../audit/order-signature.ts';
import { toSent } from '../audit/payload-codec.ts';
import { toKeyFile } from '../audit/signing-key.ts';
import type { RunClient } from './client.ts';
import { readRedactor } from './secrets.ts';
import { readUser } from './session.ts';
import type { Watch } from './watch.ts';

/** Signs a message for a run; undefined for one that began before runs were announced. */
export async function prove(
  client: RunClient,
  run: string,
  message: { readonly what: MessageKind; readonly by: string; readonly about?: string },
): Promise<Proof | undefined> {
  const order = (await client.describe(run))?.order;
  if (order === undefined) return undefined;
  const key = await ensureOperatorKey(toKeyFile(process.env, 'operator'));
  return signMessage(key, { ...message, run, order, nonce: randomUUID(), sent: Date.now() });
}

/** Says something to a run, as the answer to a question of it or (`to` empty) of itself, without the secrets in it. False when the run is not open. */
export async function sayTo(
  { client, settings, run }: Pick<Watch, 'client' | 'settings' | 'run'>,
  typed: string,
  to: string,
): Promise<boolean> {
  const { sayToRun } = await import('../workflows/contract.ts');
  const by = readUser();
  // What is signed is what arrives.
  const text = toSent(readRedactor(settings), typed);
  const proof = await prove(client, run, {
    what: 'say',
    by,
    about: hashOf(JSON.stringify([text, to])),
  });
  return await client.signal(run, sayToRun, text, by, to, proof);
}
