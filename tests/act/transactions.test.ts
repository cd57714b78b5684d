import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createTransactions } from '../../activities/act/transactions.ts';
import type { Attempt } from '../../activities/act/roll-back.ts';
import type { CallOrder } from '../../activities/act/transact.ts';
import type { Transactions } from '../../activities/act/transactions.ts';
import type { Decision } from '../../policies/action.ts';
import { LeaseLost, WorkspaceBusy, createLeases } from '../../activities/files/lease.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-transactions-')));
after(() => rmSync(root, { recursive: true, force: true }));

const inside: Decision = {
  verdict: 'allow',
  rule: 'tools.test',
  reason: 'A test.',
  effect: 'workspace',
};
const beyond: Decision = { ...inside, effect: 'external' };

let rooms = 0;

interface Room {
  readonly workspace: string;
  readonly transactions: Transactions;
  /** The same store, as a worker started later would open it. */
  readonly next: () => Transactions;
  readonly order: (seq: number, more?: Partial<CallOrder>) => CallOrder;
  readonly attempts: Attempt[];
  readonly log: () => string;
  /** `echo x >> log`: a repeated or lost one shows. */
  readonly append: () => Promise<{ outcome: string }>;
}

function createRoom(): Room {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  const state = join(root, `s${rooms}`);
  mkdirSync(workspace);
  const attempts: Attempt[] = [];
  const next = (): Transactions =>
    createTransactions(createLeases(join(state, 'leases')), join(state, 'snapshots'));
  return {
    workspace,
    attempts,
    next,
    transactions: next(),
    order: (seq, more = {}) => ({
      workspace,
      run: 'r',
      seq,
      digest: `d${seq}`,
      decision: inside,
      signal: new AbortController().signal,
      isRolledBack: () => false,
      begin: (attempt) => {
        attempts.push(attempt);
        return Promise.resolve();
      },
      ...more,
    }),
    log: () =>
      existsSync(join(workspace, 'log')) ? readFileSync(join(workspace, 'log'), 'utf8') : '',
    append: () => {
      appendFileSync(join(workspace, 'log'), 'x\n');
      return Promise.resolve({ outcome: 'appended' });
    },
  };
}

const settle = (outcome: string): Promise<{ said: string }> => Promise.resolve({ said: outcome });
const isRolledBack = (error: unknown) => (error as Error).message === 'refused';
const isOpen = (run: string): Promise<boolean> => Promise.resolve(run !== 'over');
const crash = (): Promise<never> => Promise.reject(new Error('killed'));

test('a committed call is not run again, and its result is kept', async () => {
  const { transactions, next, order, append, log } = createRoom();
  const first = await transactions.transact(order(1), append, settle);
  const again = await next().transact(order(1), append, settle);
  assert.deepEqual(first, { state: 'committed', result: { said: 'appended' } });
  assert.deepEqual(again, { state: 'stored', result: { said: 'appended' } });
  assert.equal(log(), 'x\n');
});

test('the same action again is another call', async () => {
  const { transactions, order, append, log } = createRoom();
  await transactions.transact(order(1, { digest: 'same' }), append, settle);
  await transactions.transact(order(2, { digest: 'same' }), append, settle);
  assert.equal(log(), 'x\nx\n');
});

test('a call cut short is taken back, what it left is kept, and it runs once', async () => {
  const { transactions, next, order, append, log, attempts } = createRoom();
  await transactions.transact(order(1), append, settle);
  const cut = async (): Promise<never> => {
    await append();
    return await crash();
  };
  await assert.rejects(transactions.transact(order(2), cut, settle), /killed/);
  assert.equal(log(), 'x\nx\n');
  const ended = await next().transact(order(2), append, settle);
  assert.equal(ended.state, 'committed');
  assert.equal(log(), 'x\nx\n');
  assert.equal(attempts.at(-1)?.again, true);
  assert.match(attempts.at(-1)?.cut ?? '', /^[0-9a-f]{40}$/);
});

test('what reaches beyond the workspace is never repeated: a person says what became of it', async () => {
  for (const [settled, expected] of [
    ['happened', 'x\n'],
    ['not', ''],
  ] as const) {
    const { transactions, next, order, append, log } = createRoom();
    const external = (more: Partial<CallOrder> = {}) => order(1, { decision: beyond, ...more });
    const cut = async (): Promise<never> => {
      await append();
      return await crash();
    };
    await assert.rejects(transactions.transact(external(), cut, settle));
    const asked = await next().transact(external(), append, settle);
    assert.equal(asked.state, 'unknown');
    assert.equal(log(), 'x\n');
    const answered = await next().transact(
      external({ settled }),
      () => Promise.resolve({ outcome: settled }),
      settle,
    );
    assert.deepEqual(answered, { state: 'committed', result: { said: settled } });
    assert.equal(log(), expected);
  }
});

test('a retry goes by the effect the call began with, and notes a stricter one', async () => {
  const { transactions, next, order, append, log } = createRoom();
  const cut = async (): Promise<never> => {
    await append();
    return await crash();
  };
  await assert.rejects(transactions.transact(order(1, { decision: beyond }), cut, settle));
  assert.equal((await next().transact(order(1), append, settle)).state, 'unknown');
  await assert.rejects(transactions.transact(order(2), cut, settle));
  await assert.rejects(next().transact(order(2, { decision: beyond }), cut, settle), /killed/);
  assert.equal((await next().transact(order(2), append, settle)).state, 'unknown');
  assert.equal(log(), 'x\nx\n');
});

test('the store tells of a call before it is decided of again, and takes it back', async () => {
  const { transactions, next, order, append, log, attempts } = createRoom();
  assert.equal(await transactions.recall(order(1)), undefined);
  await transactions.transact(order(1), append, settle);
  assert.deepEqual(await next().recall(order(1)), {
    state: 'committed',
    result: { said: 'appended' },
  });
  const cut = async (): Promise<never> => {
    await append();
    return await crash();
  };
  await assert.rejects(transactions.transact(order(2), cut, settle));
  const { begin, ...call } = order(2);
  const later = next();
  assert.deepEqual(await later.recall(call), { state: 'begun', decision: inside });
  await later.rollback(call, begin);
  assert.equal(log(), 'x\n');
  assert.match(attempts.at(-1)?.cut ?? '', /^[0-9a-f]{40}$/);
  assert.equal(await later.recall(call), undefined);
  await later.rollback(order(1), begin);
  assert.equal(log(), 'x\n');
});

test('one number with two actions is refused', async () => {
  const { transactions, order, append } = createRoom();
  await transactions.transact(order(1), append, settle);
  await assert.rejects(transactions.transact(order(1, { digest: 'other' }), append, settle), {
    name: 'IdentityMismatch',
  });
});

test('a cancelled call is taken back', async () => {
  const { transactions, order, append, log } = createRoom();
  const abort = new AbortController();
  const stopped = transactions.transact(
    order(1, { signal: abort.signal }),
    async () => {
      await append();
      abort.abort(new Error('CANCELLED'));
      return { outcome: 'late' };
    },
    settle,
  );
  await assert.rejects(stopped, /CANCELLED/);
  assert.equal(log(), '');
});

test('a refusal on the way takes back what was done and leaves the number free', async () => {
  const { transactions, order, append, log } = createRoom();
  const refused = async (): Promise<never> => {
    await append();
    throw new Error('refused');
  };
  await assert.rejects(
    transactions.transact(order(1, { isRolledBack }), refused, settle),
    /refused/,
  );
  assert.equal(log(), '');
  assert.equal((await transactions.transact(order(1), append, settle)).state, 'committed');
});

test('an attempt Temporal gave up on is stopped before the next one starts', async () => {
  const { transactions, order, append, log } = createRoom();
  let zombie: Promise<unknown> = Promise.resolve();
  await new Promise<void>((started) => {
    zombie = transactions.transact(
      order(1),
      (signal) =>
        new Promise((_, reject) => {
          started();
          signal.addEventListener('abort', () => {
            void append().then(() => reject(signal.reason as Error));
          });
        }),
      settle,
    );
    zombie.catch(() => undefined);
  });
  const ended = await transactions.transact(order(1), append, settle);
  await assert.rejects(zombie, /superseded/);
  assert.equal(ended.state, 'committed');
  assert.equal(log(), 'x\n');
});

const takeOver = (workspace: string): void => {
  const folder = join(workspace, `../s${rooms}/leases`);
  const [name = ''] = readdirSync(folder);
  const file = join(folder, name);
  const lease = JSON.parse(readFileSync(file, 'utf8')) as { epoch: number };
  writeFileSync(file, JSON.stringify({ ...lease, epoch: lease.epoch + 1 }));
};

test('who lost the lease is told before the next effect, and cannot commit', async () => {
  const { workspace, transactions, order, append, log } = createRoom();
  await transactions.transact(order(1), append, settle);
  const lost = transactions.transact(
    order(2),
    async (_, held) => {
      held.check();
      takeOver(workspace);
      assert.throws(() => held.check(), LeaseLost);
      return await append();
    },
    settle,
  );
  await assert.rejects(lost, LeaseLost);
  const again = await transactions.transact(order(2), append, settle);
  assert.equal(again.state, 'committed');
  assert.equal(log(), 'x\nx\n');
});

test('who lost the lease takes nothing back: that is for the one who has it', async () => {
  const { workspace, transactions, order, append, log } = createRoom();
  const lost = transactions.transact(
    order(1, { isRolledBack }),
    async () => {
      await append();
      takeOver(workspace);
      throw new Error('refused');
    },
    settle,
  );
  await assert.rejects(lost, LeaseLost);
  assert.equal(log(), 'x\n');
});

test('two runs cannot have one folder, nor a folder and one inside it', async () => {
  const { workspace } = createRoom();
  const leases = createLeases(join(root, `s${rooms}`, 'leases'));
  mkdirSync(join(workspace, 'inner'));
  await leases.claim(workspace, 'one', isOpen);
  await leases.claim(workspace, 'one', isOpen);
  await assert.rejects(leases.claim(workspace, 'two', isOpen), WorkspaceBusy);
  await assert.rejects(leases.claim(join(workspace, 'inner'), 'two', isOpen), /in use by run one/);
  await leases.release('one');
  await leases.claim(workspace, 'over', isOpen);
  await leases.claim(workspace, 'two', isOpen);
  assert.deepEqual(
    leases.list().map(({ run }) => run),
    ['two'],
  );
});

test('a copy that a killed worker left unfinished is made anew', async () => {
  const { workspace, transactions } = createRoom();
  writeFileSync(join(workspace, 'a.txt'), 'whole');
  const copy = join(root, 'copies', 'r', '1-1-s1');
  const unfinished = `${copy}.copying-x`;
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, 'a.txt'), 'wh');
  assert.equal(await transactions.copy(workspace, copy), copy);
  assert.deepEqual(readdirSync(join(root, 'copies', 'r')), ['1-1-s1']);
  assert.equal(readFileSync(join(copy, 'a.txt'), 'utf8'), 'whole');
});

/** A file that no snapshot takes, with something at its start. */
function plantHuge(file: string, text: string): void {
  writeFileSync(file, text);
  truncateSync(file, 600 * 1024 * 1024);
}

test('a call cut short that changed data no snapshot holds is not run again: a person looks at it', async () => {
  for (const settled of ['happened', 'not'] as const) {
    const { workspace, transactions, next, order, append, log } = createRoom();
    const data = join(workspace, 'data');
    plantHuge(data, 'before');
    const cut = async (): Promise<never> => {
      await append();
      truncateSync(data, 6);
      return await crash();
    };
    await assert.rejects(transactions.transact(order(1), cut, settle), /killed/);
    const asked = await next().transact(order(1), append, settle);
    assert.equal(asked.state, 'unknown');
    assert.deepEqual(asked.state === 'unknown' && asked.left, ['data']);
    assert.equal(readFileSync(data, 'utf8'), 'before');
    const answered = await next().transact(
      order(1, { settled }),
      () => Promise.resolve({ outcome: settled }),
      settle,
    );
    assert.equal(answered.state, 'committed');
    assert.equal(readFileSync(data, 'utf8'), 'before');
    assert.equal(log(), settled === 'happened' ? 'x\n' : '');
  }
});

test('a call cut short that grew a file beyond what can be brought back is not run again', async () => {
  const { workspace, transactions, next, order, append } = createRoom();
  const data = join(workspace, 'data');
  writeFileSync(data, 'small');
  const cut = async (): Promise<never> => {
    plantHuge(data, 'grown');
    return await crash();
  };
  await assert.rejects(transactions.transact(order(1), cut, settle), /killed/);
  const asked = await next().transact(order(1), append, settle);
  assert.deepEqual(asked.state === 'unknown' && asked.left, ['data']);
  assert.ok(existsSync(data));
});

test('a folder that its tools make again does not keep a call from running again, and is named', async () => {
  const { workspace, transactions, next, order, append, log, attempts } = createRoom();
  mkdirSync(join(workspace, 'node_modules'));
  const cut = async (): Promise<never> => {
    await append();
    writeFileSync(join(workspace, 'node_modules', 'half'), '');
    return await crash();
  };
  await assert.rejects(transactions.transact(order(1), cut, settle), /killed/);
  assert.equal((await next().transact(order(1), append, settle)).state, 'committed');
  assert.equal(log(), 'x\n');
  assert.deepEqual(attempts.at(-1)?.left, ['node_modules']);
});

test('a cancelled call says what it leaves behind', async () => {
  const { workspace, transactions, order } = createRoom();
  const data = join(workspace, 'data');
  plantHuge(data, 'before');
  const abort = new AbortController();
  let left: readonly string[] = [];
  const stopped = transactions.transact(
    order(1, { signal: abort.signal, rolledBack: (paths) => (left = paths) }),
    () => {
      truncateSync(data, 3);
      abort.abort(new Error('CANCELLED'));
      return Promise.resolve({ outcome: 'late' });
    },
    settle,
  );
  await assert.rejects(stopped, /CANCELLED/);
  assert.deepEqual(left, ['data']);
  assert.equal(readFileSync(data, 'utf8'), 'bef');
});
