/** How fast the record is verified, against hashing the same file once. */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { toGenesis, toLine } from '../../audit/record/line.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { pair } from './measure.ts';
import type { Row } from './measure.ts';

const size = 300 * 1024 * 1024;

const payload = (value: object) => ({
  payloads: [
    {
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from(JSON.stringify(value)).toString('base64'),
    },
  ],
});

/** What an action leaves in a history: its request and its result, of 1 to 2 KB each. */
function* toRecords(): Generator<object> {
  yield { kind: 'header', v: 1, run: 'bench', workflowId: 'run-bench', namespace: 'default' };
  for (let id = 1; ; id++) {
    const scheduled = id % 2 === 1;
    const text = `line ${id} of a file that was read, with "quotes" and ünicode\n`.repeat(
      4 + (id % 9),
    );
    const call = { tool: 'read_file', args: { path: `src/file-${id}.ts` }, preview: `read ${id}` };
    const attributes = scheduled
      ? {
          activityTaskScheduledEventAttributes: {
            activityId: String(id),
            activityType: { name: 'act' },
            taskQueue: { name: 'dev-agent-workspace@host', kind: 'TASK_QUEUE_KIND_NORMAL' },
            header: {},
            input: payload({ run: 'bench', step: 's1', seq: id, call, context: text }),
            scheduleToCloseTimeout: '0s',
            startToCloseTimeout: '600s',
            heartbeatTimeout: '30s',
            workflowTaskCompletedEventId: String(id - 1),
            retryPolicy: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 1 },
          },
        }
      : {
          activityTaskCompletedEventAttributes: {
            scheduledEventId: String(id - 1),
            startedEventId: String(id - 1),
            identity: '4711@host',
            result: payload({ verdict: 'allow', rule: 'paths.read', head: text, ok: true, ms: 12 }),
          },
        };
    const type = scheduled ? 'ACTIVITY_TASK_SCHEDULED' : 'ACTIVITY_TASK_COMPLETED';
    const eventTime = `2026-10-01T12:00:00.${String(id % 1000).padStart(3, '0')}Z`;
    const event = {
      eventId: String(id),
      eventTime,
      eventType: `EVENT_TYPE_${type}`,
      taskId: String(1_048_576 + id),
      ...attributes,
    };
    yield { kind: 'event', execution: 'e1', id, type, time: eventTime, event };
  }
}

function* toLines(): Generator<string> {
  let head = toGenesis('run bench');
  let written = 0;
  for (const record of toRecords()) {
    const next = toLine(record, head);
    head = next.head;
    written += next.line.length;
    yield next.line;
    if (written > size) return;
  }
}

export async function measureAudit(): Promise<Row[]> {
  const root = await mkdtemp(join(tmpdir(), 'agent-bench-'));
  const file = join(root, 'run-bench.jsonl');
  try {
    await pipeline(Readable.from(toLines()), createWriteStream(file));
    const megabytes = (await stat(file)).size / 1e6;
    let records = 0;
    const [ours, hashing] = await pair(
      3,
      async () => {
        const started = performance.now();
        const found = await verifyState(root);
        if (found.findings.length > 0) throw new Error(JSON.stringify(found.findings));
        ({ records } = found);
        return performance.now() - started;
      },
      async () => {
        const started = performance.now();
        await promisify(execFile)('sha256sum', [file]);
        return performance.now() - started;
      },
    );
    return [
      {
        name: `audit verify of ${megabytes.toFixed(0)} MB / sha256sum`,
        ours,
        baseline: hashing,
        unit: 'ms',
        // Either is enough: twice the time of the hash alone, or 100 MB a second.
        limit: Math.max(2, (megabytes * 10) / hashing),
        note: `${records} records, ${((megabytes / ours) * 1000).toFixed(0)} MB/s`,
      },
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
