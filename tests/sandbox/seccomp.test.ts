/** The system-call filter, run instruction by instruction as the kernel would. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSeccompFilter } from '../../activities/sandbox/seccomp.ts';

const allowed = 0x7fff0000;
const eperm = 0x00050001;
const enosys = 0x00050026;
const killed = 0x80000000;

/** Classic BPF over struct seccomp_data: number, arch, arguments. */
function run(filter: Buffer, arch: number, call: number, args: readonly number[] = []): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, arg] of args.entries()) data.writeBigUInt64LE(BigInt(arg), 16 + 8 * index);
  let value = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const code = filter.readUInt16LE(at * 8);
    const yes = filter.readUInt8(at * 8 + 2);
    const no = filter.readUInt8(at * 8 + 3);
    const k = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x20) value = data.readUInt32LE(k);
    else if (code === 0x15) at += value === k ? yes : no;
    else if (code === 0x35) at += value >= k ? yes : no;
    else if (code === 0x45) at += (value & k) === 0 ? no : yes;
    else if (code === 0x06) return k;
    else assert.fail(`instruction ${code.toString(16)} is not known`);
  }
  return assert.fail('the program runs off its end');
}

const machines = [
  {
    name: 'x64',
    arch: 0xc000003e,
    clone: 56,
    ioctl: 16,
    socket: 41,
    read: 0,
    ptrace: 101,
    mount: 165,
    pair: 53,
  },
  {
    name: 'arm64',
    arch: 0xc00000b7,
    clone: 220,
    ioctl: 29,
    socket: 198,
    read: 63,
    ptrace: 117,
    mount: 40,
    pair: 199,
  },
] as const;

for (const { name, arch, clone, ioctl, socket, read, ptrace, mount, pair } of machines) {
  test(`${name}: ordinary calls pass, escapes do not`, () => {
    const filter = toSeccompFilter(name);
    assert.ok(filter !== undefined);
    const answer = (call: number, ...args: number[]) => run(filter, arch, call, args);
    for (const call of [read, pair]) assert.equal(answer(call, 1), allowed);
    for (const call of [ptrace, mount, 425, 442]) assert.equal(answer(call), eperm);
    assert.equal(answer(435), enosys);
    assert.equal(answer(clone, 0x003d0f00), allowed, 'a thread');
    assert.equal(answer(clone, 0x11), allowed, 'a process');
    for (const flag of [
      0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
    ])
      assert.equal(answer(clone, flag + 0x11), eperm, `namespace ${flag.toString(16)}`);
    assert.equal(answer(ioctl, 0, 0x5413), allowed);
    assert.equal(answer(ioctl, 0, 0x5412), eperm);
    // The kernel looks at the low half only, so the filter must too.
    assert.equal(answer(ioctl, 0, 0x1_0000_5412), eperm);
    for (const family of [2, 10, 16]) assert.equal(answer(socket, family), allowed);
    for (const family of [1, 17, 40]) assert.equal(answer(socket, family), eperm);
    assert.equal(run(filter, 0x40000003, read), killed, 'another processor');
  });
}

for (const [name, arch, modes, opens] of [
  [
    'x64',
    0xc000003e,
    [
      [90, 1],
      [91, 1],
      [268, 2],
      [452, 2],
      [85, 1],
      [133, 1],
      [259, 2],
    ],
    [
      [2, 1, 2],
      [257, 2, 3],
    ],
  ],
  [
    'arm64',
    0xc00000b7,
    [
      [52, 1],
      [53, 2],
      [452, 2],
      [33, 2],
    ],
    [[56, 2, 3]],
  ],
] as const)
  test(`${name}: no call sets a set-id bit, and attributes are not supported`, () => {
    const filter = toSeccompFilter(name);
    assert.ok(filter !== undefined);
    const call = (number: number, args: Readonly<Record<number, number>>): number =>
      run(
        filter,
        arch,
        number,
        [0, 1, 2, 3].map((index) => args[index] ?? 0),
      );
    for (const [number, mode] of modes) {
      for (const bits of [0o755, 0o1777, 0o600])
        assert.equal(call(number, { [mode]: bits }), allowed);
      for (const bits of [0o4755, 0o2755, 0o6000, 0o104755])
        assert.equal(call(number, { [mode]: bits }), eperm);
    }
    for (const [number, flags, mode] of opens) {
      assert.equal(call(number, { [flags]: 0o102, [mode]: 0o644 }), allowed);
      assert.equal(call(number, { [flags]: 0o102, [mode]: 0o4755 }), eperm);
      assert.equal(call(number, { [flags]: 0o20200002, [mode]: 0o4755 }), eperm);
      // Nothing is made, so what stands in its place means nothing.
      assert.equal(call(number, { [flags]: 0o2, [mode]: 0o4755 }), allowed);
    }
    assert.equal(call(437, {}), enosys);
    for (const number of [463, 466]) assert.equal(call(number, {}), 0x0005005f);
  });

test('x64 numbers of the x32 interface do not exist', () => {
  const filter = toSeccompFilter('x64');
  assert.ok(filter !== undefined);
  assert.equal(run(filter, 0xc000003e, 0x40000000 + 101), enosys);
});

test('there is no filter for a processor whose numbers are not known', () => {
  assert.equal(toSeccompFilter('mips'), undefined);
});
