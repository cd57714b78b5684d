/** The live view of a run whose events a file says, one a line; "end" closes it. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { RunEvent, RunEventBody } from '../../audit/events/run-event.ts';
import { createLiveViewer } from '../../cli/live.ts';
import { emptyView, foldEvent } from '../../client/events/watch-view.ts';
import { readSettings } from '../../config/environment.ts';
import type { RunClient } from '../../client/run-client.ts';

const [file = ''] = process.argv.slice(2);
const viewer = createLiveViewer({
  client: {} as RunClient,
  settings: readSettings(),
  run: 'r1',
  json: false,
  from: 1,
});
const started = Date.now();
let view = emptyView;
const person = { left: false };
void viewer.left.then(() => (person.left = true));
for (let seq = 1; !person.left; await setTimeout(20)) {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const line = lines[seq - 1];
  if (line === undefined) continue;
  if (line === 'end') break;
  const time = new Date(started).toISOString();
  const event = { v: 1, seq, run: 'r1', time, ...(JSON.parse(line) as RunEventBody) } as RunEvent;
  view = foldEvent(view, event);
  viewer.show([event], view);
  seq += 1;
}
await viewer.close();
process.exit(person.left ? 6 : 0);
