/**
 * The system-call filter of the sandbox, as classic BPF (seccomp(2)). A deny-list on top of namespaces and dropped
 * capabilities: it closes kernel surface a build or a test never needs. Socket pairs stay allowed, Node needs them.
 */

interface Calls {
  readonly arch: number;
  readonly clone: number;
  readonly ioctl: number;
  readonly socket: number;
  readonly denied: readonly number[];
}

/** The same number everywhere since Linux 5.1: io_uring, new mount API, pidfd_getfd. */
const common = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442];
const clone3 = 435;

const tables: Readonly<Record<string, Calls>> = {
  x64: {
    arch: 0xc000003e,
    clone: 56,
    ioctl: 16,
    socket: 41,
    // ptrace, process_vm_*, bpf, perf_event_open, keys, userfaultfd, mount family, unshare, setns, handles, modules, kexec, kcmp, chroot, swap, reboot, acct, quotactl
    denied: [
      101, 310, 311, 321, 298, 248, 249, 250, 323, 165, 166, 155, 272, 308, 303, 304, 175, 313, 176,
      246, 320, 312, 161, 167, 168, 169, 163, 179,
    ],
  },
  arm64: {
    arch: 0xc00000b7,
    clone: 220,
    ioctl: 29,
    socket: 198,
    denied: [
      117, 270, 271, 280, 241, 217, 218, 219, 282, 40, 39, 41, 97, 268, 264, 265, 105, 273, 106,
      104, 294, 272, 51, 224, 225, 142, 89, 60,
    ],
  },
};

const allow = 0x7fff0000;
const kill = 0x80000000;
const refuse = 0x00050000 + 1; // EPERM
const unknown = 0x00050000 + 38; // ENOSYS: the C library then falls back to clone
const anyNamespace = 0x7e020000; // CLONE_NEWNS … CLONE_NEWNET
const terminalInput = [0x5412, 0x541c]; // TIOCSTI, TIOCLINUX: typing into the terminal that started us
const families = [1, 17, 40]; // AF_UNIX, AF_PACKET, AF_VSOCK

// Instruction codes of linux/bpf_common.h.
const load = 0x20;
const equals = 0x15;
const atLeast = 0x35;
const anyBit = 0x45;
const answer = 0x06;

// Offsets in struct seccomp_data.
const atNumber = 0;
const atArch = 4;
const lowArgument = (index: number): number => 16 + 8 * index;

/** The filter for this processor; undefined where none is known. Little-endian, 8 bytes an instruction. */
export function toSeccompFilter(arch: string): Buffer | undefined {
  const calls = tables[arch];
  if (calls === undefined) return undefined;
  const program: [code: number, jumpTrue: number, jumpFalse: number, value: number][] = [];
  const when = (code: number, value: number, result: number): void => {
    program.push([code, 0, 1, value], [answer, 0, 0, result]);
  };
  /** Runs `checks` on an argument of one call only. */
  const onCall = (number: number, argument: number, checks: () => void): void => {
    const jump = program.push([equals, 0, 0, number]) - 1;
    program.push([load, 0, 0, lowArgument(argument)]);
    checks();
    program.push([answer, 0, 0, allow]);
    (program[jump] as [number, number, number, number])[2] = program.length - jump - 1;
  };

  program.push(
    [load, 0, 0, atArch],
    [equals, 1, 0, calls.arch],
    [answer, 0, 0, kill],
    [load, 0, 0, atNumber],
  );
  if (arch === 'x64') when(atLeast, 0x40000000, unknown);
  when(equals, clone3, unknown);
  for (const number of [...calls.denied, ...common]) when(equals, number, refuse);
  onCall(calls.clone, 0, () => when(anyBit, anyNamespace, refuse));
  onCall(calls.ioctl, 1, () => {
    for (const request of terminalInput) when(equals, request, refuse);
  });
  onCall(calls.socket, 0, () => {
    for (const family of families) when(equals, family, refuse);
  });
  program.push([answer, 0, 0, allow]);

  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
