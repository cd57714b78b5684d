import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSpoolReader } from '../../client/events/spool.ts';

const line = (activity: string, attempt: number, text: string): string =>
  `${JSON.stringify({ activity, attempt, text })}\n`;

test('the text of a model call is read as it grows; a retried call starts again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'agent-spool-'));
  const file = join(folder, 'run-x.ndjson');
  const reader = createSpoolReader(file);
  assert.equal(await reader.read(), '', 'no file yet');
  await writeFile(file, line('5', 1, 'Ich prü'));
  assert.equal(await reader.read(), 'Ich prü');
  const bytes = Buffer.from(line('5', 1, 'fe'));
  await appendFile(file, bytes.subarray(0, 9));
  assert.equal(await reader.read(), 'Ich prü', 'half a line is not read');
  await appendFile(file, bytes.subarray(9));
  assert.equal(await reader.read(), 'Ich prüfe');
  await appendFile(file, `not json\n${line('5', 2, 'again')}`);
  assert.equal(await reader.read(), 'again');
  await writeFile(file, line('9', 1, 'new'));
  assert.equal(await reader.read(), 'new', 'a file begun anew');
  await reader.close();
  await rm(folder, { recursive: true });
});
