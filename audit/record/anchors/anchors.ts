/**
 * Signed heads of the chained files, kept outside them: a chain proves order and wholeness up to its end, its anchor
 * proves where that end was. An anchor is written after the log is synced, so it is never ahead of its log.
 */
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import {
  isSignedBy,
  overwriteAnchor,
  parseAnchor,
  renderAnchor,
  toAnchorFile,
  toAnchorFolder,
} from './anchor.ts';
import type { Anchors } from './anchor.ts';
import { removeLeftTemps, replaceText, toTempName } from '../../../config/temporary.ts';
import { ChainError } from '../chain-error.ts';
import type { Head } from '../line.ts';
import { readTextIfAny } from '../once.ts';
import { isRegistered, register } from './register.ts';
import { ensureSigningKey, toKeyFile } from '../keys/signing-key.ts';
import type { SigningKey } from '../keys/signing-key.ts';
import { syncFolder } from '../sync-folder.ts';
import { keepCopy, readCopy, setCopyAside, toWitnessFolder } from './witness.ts';
import { createFolder } from '../writer.ts';

const create = async (file: string, text: string, folder: string): Promise<void> => {
  await createFolder(folder);
  await replaceText(join(folder, toTempName()), file, text);
  syncFolder(folder);
};

/** Error codes when the key cannot be stored: a read-only home, or none. */
const placeless = new Set(['EACCES', 'EROFS', 'EPERM', 'ENOTDIR']);

/**
 * Anchors of a state folder's logs. The key is made on first use; if it cannot be made, logs stay without anchors and
 * `agent audit verify` says so.
 */
export const createAnchors = (root: string, keyFile: string = toKeyFile()): Anchors => {
  const folder = toAnchorFolder(root);
  const witness = toWitnessFolder(root, keyFile);
  let made: SigningKey | 'none' | undefined;
  removeLeftTemps(folder);
  const ensureKey = (): SigningKey | 'none' => {
    try {
      made ??= ensureSigningKey(keyFile);
    } catch (error) {
      if (!placeless.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      made = 'none';
    }
    return made;
  };

  return {
    of(path) {
      const log = basename(path);
      const file = toAnchorFile(folder, log);
      let known: { readonly text: string; readonly head: Head } | undefined;
      /** Records in the register once the log is listed. */
      let listed: number | undefined;

      const write = async (key: SigningKey, head: Head): Promise<void> => {
        const text = renderAnchor({ log, head, listed: listed ?? 0 }, key);
        if (!overwriteAnchor(file, text)) await create(file, text, folder);
        await keepCopy(witness, root, { log, text });
        known = { text, head };
      };

      const lose = async (key: SigningKey, head: Head, why: string): Promise<void> => {
        const time = new Date().toISOString();
        const entry = { kind: 'lost', log, records: head.seq, head: head.hash, why, time } as const;
        await register(folder, key, entry);
        await rm(file, { force: true });
        await setCopyAside(witness, log);
        known = undefined;
      };

      /** The later of the anchor and its witnessed copy: the folder may have been rolled back. */
      const toLatest = async (head: Head): Promise<Head> => {
        const copy = await readCopy(witness, log);
        return copy !== undefined && copy.head.seq > head.seq ? copy.head : head;
      };

      return {
        async read() {
          const text = readTextIfAny(file);
          // Deleted behind the writer's back: its next append writes it again.
          if (text === undefined && known !== undefined) return known.head;
          if (text !== undefined && text === known?.text) return known.head;
          const key = ensureKey();
          if (text === undefined) {
            const copy = await readCopy(witness, log);
            if (copy !== undefined) return copy.head;
            if (key !== 'none' && (await isRegistered(folder, log))) {
              await lose(key, { seq: 0, hash: '' }, 'lost its anchor');
            }
            return undefined;
          }
          const anchor = parseAnchor(text);
          if (key !== 'none' && anchor !== undefined && anchor.key !== key.id) {
            // Whose it was is unknowable; a lost key must neither stop the agent nor go unnoticed.
            await lose(key, anchor.head, `was signed by another key (${anchor.key})`);
            return undefined;
          }
          const isOurs = anchor?.log === log && (key === 'none' || isSignedBy(anchor, key));
          if (anchor === undefined || !isOurs) {
            throw new ChainError(file, 1, 'is not what was signed');
          }
          known = { text, head: await toLatest(anchor.head) };
          return known.head;
        },
        async keep(head) {
          const key = ensureKey();
          if (key === 'none') return;
          await write(key, head);
          if (listed !== undefined) return;
          // In this order, so that a listed log has an anchor whenever this process is killed.
          listed = await register(folder, key, { kind: 'anchored', log });
          await write(key, head);
        },
        async lose(head, why) {
          const key = ensureKey();
          if (key !== 'none') await lose(key, head, why);
        },
      };
    },
  };
};
