/** A worker that does one thing in a room and may be ended by a failpoint on the way: `folder command seq [digest answer]`. */
import { createProtectedRoom } from './protected-room.ts';

const [folder = '', command = '', seq = '1', digest, answer] = process.argv.slice(2);
const room = await createProtectedRoom({ folder });
const asked = { seq: Number(seq), digest: digest ?? '' };
if (digest === undefined) await room.again(command, asked.seq);
else await room.answer(command, asked, answer === 'approve' ? 'approve' : 'deny');
await room.close();
