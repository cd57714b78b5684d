import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createConcealer } from '../../activities/model/conceal.ts';
import { startModelServer } from '../model-server/server.ts';
import { openRoom } from './room.ts';

const secret = 'sk-Canary"51+bc/==';

test('every way of writing the secret is masked, wherever the pieces are cut', () => {
  const bytes = Buffer.from(secret);
  const form = fc.constantFrom(
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString('base64'),
    bytes.toString('base64url'),
  );
  const text = fc.array(
    fc.oneof(form, fc.string({ maxLength: 6 }), fc.constant(secret.slice(0, 9))),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 0, max: 80 })), (parts, cuts) => {
      const all = parts.join(' ');
      const concealer = createConcealer(secret);
      const places = [0, ...cuts.filter((cut) => cut < all.length), all.length].toSorted(
        (a, b) => a - b,
      );
      const shown = places
        .map((place, index) => concealer.piece(all.slice(places[index - 1] ?? 0, place)))
        .join('');
      const streamed = shown + concealer.rest();
      assert.equal(streamed, concealer.whole(all));
      assert.ok(!streamed.includes(secret));
    }),
    { numRuns: 2000 },
  );
});

test('nothing is held back or masked without a secret, or with one too short to be told from words', () => {
  for (const none of [undefined, 'none']) {
    const concealer = createConcealer(none);
    assert.equal(concealer.whole('none at all'), 'none at all');
    assert.equal(concealer.piece('no') + concealer.rest(), 'no');
  }
});

test('an answer with the key in it is stored and streamed without it', async () => {
  const turn = {
    text: `The key is ${secret}.`,
    call: [{ name: 'write_file', args: { path: 'a.txt', content: `key=${secret}` } }],
  };
  for (const forceChat of [true, false]) {
    const server = await startModelServer([turn], { apiKey: secret });
    const room = await openRoom(server.baseUrl, { apiKey: secret, forceChat });
    try {
      const request = await room.thinkRequest();
      const outcome = await room.run((model) => model.think(request));
      assert.equal(outcome.kind, 'answer');
      assert.match(JSON.stringify(outcome), /The key is \[secret\]/);
      for (const entry of await readdir(room.root, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
        assert.ok(!text.includes('Canary'), entry.name);
      }
    } finally {
      await server.close();
      await room.close();
    }
  }
});
