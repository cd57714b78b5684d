/** What a worker holds an activity against, for executions that no client of ours starts. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Context } from '@temporalio/activity';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityExecuteInput } from '@temporalio/worker';
import { createAuditLog } from '../../audit/record/log.ts';
import { createOrderLedger } from '../../audit/record/keys/order-ledger.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { announcedOnly } from '../../workers/orders.ts';
import type { StartAttributes } from '../../workers/execution-events.ts';
import { toQueues, toWorkflowId, workflowType } from '../../workflows/names.ts';
import { input as told } from '../audit/told-history.ts';
import { toOrdered } from '../setup/orders.ts';

const root = mkdtempSync(join(tmpdir(), 'agent-orders-'));
const key = ensureSigningKey(join(root, 'operator.pem'));
const audit = createAuditLog(join(root, 'audit'));
after(async () => {
  await audit.close();
  rmSync(root, { recursive: true, force: true });
});

/** A worker's judgement of an activity that comes by a queue of its own: why it is refused, or undefined. */
async function ask(
  host: string,
  taskQueue: string,
  input: typeof told,
): Promise<string | undefined> {
  const queues = toQueues('q', host);
  const start: StartAttributes = {
    taskQueue: { name: queues.run },
    input: { payloads: [defaultPayloadConverter.toPayload(toOrdered(key, input))] },
  };
  const events = [{ workflowExecutionStartedEventAttributes: start }];
  const create = announcedOnly({
    service: { getWorkflowExecutionHistory: () => Promise.resolve({ history: { events } }) },
    namespace: 'default',
    queues,
    codecs: [],
    approversFile: 'operator.pub',
    approvers: () => [key],
    ledger: createOrderLedger(join(root, randomUUID())),
    audit: () => Promise.resolve(audit),
    places: { copies: '/copies' },
  });
  const info = {
    workflowExecution: { workflowId: toWorkflowId(input.run), runId: randomUUID() },
    workflowType,
    activityType: 'closeRun',
    taskQueue,
  };
  const { inbound } = create({ info } as Context);
  const { run, workspace } = input;
  const asked = { args: [{ run, workspace }], headers: {} } satisfies ActivityExecuteInput;
  try {
    await inbound?.execute?.(asked, () => Promise.resolve(undefined));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

test('what touches a folder is carried out on the host that the order names, all else on any', async () => {
  const input = { ...told, queues: toQueues('q', 'a') };
  const { model, workspace } = input.queues;
  assert.equal(await ask('a', workspace, input), undefined);
  assert.equal(await ask('b', model, input), undefined);
  const other = toQueues('q', 'b').workspace;
  assert.match((await ask('b', other, input)) ?? '', /for other workers \(queues q-model, q-w/);
  const foreign = { ...input, queues: { ...input.queues, model: 'other-model' } };
  assert.match(
    (await ask('a', workspace, foreign)) ?? '',
    /for other workers \(queues other-model/,
  );
});
