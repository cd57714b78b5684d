/** Run by a test as a user who is not the superuser: a file that becomes readable between two snapshots. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSnapshots } from '../../activities/workspace/snapshots/snapshots.ts';

const [, , folder = ''] = process.argv;
const workspace = join(folder, 'workspace');
const closed = join(workspace, 'closed.txt');
mkdirSync(workspace);
writeFileSync(closed, 'secret of mine\n');
chmodSync(closed, 0o000);
const snapshots = openSnapshots(join(folder, 'store'), workspace, 'test');
const { tree } = await snapshots.capture();
chmodSync(closed, 0o600);
const { left } = await snapshots.restore(tree);
const content = readFileSync(closed, 'utf8');
const sum = createHash('sha256').update(content).digest('hex');
process.stdout.write(JSON.stringify({ left, content, sum }));
