/**
 * The sandbox's system-call filter, as classic BPF (seccomp(2)). A deny-list on top of namespaces and dropped
 * capabilities: it closes kernel surface that builds and tests never need. Socket pairs stay allowed because Node needs
 * them.
 */

interface Calls {
  readonly arch: number;
  readonly clone: number;
  readonly ioctl: number;
  readonly socket: number;
  readonly denied: readonly number[];
  /** Calls that set a file's mode, and which argument it is. */
  readonly modes: readonly (readonly [number: number, mode: number])[];
  /** Calls that open or create a file, and which arguments are flags and mode. */
  readonly opens: readonly (readonly [number: number, flags: number, mode: number])[];
  /** setxattr, removexattr and the like. */
  readonly attributes: readonly number[];
}

/** The same number on every architecture since Linux 5.1: io_uring, new mount API, pidfd_getfd. */
const common = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442];
const clone3 = 435;
/** Its mode is in memory, where filters cannot look: programs fall back to openat. */
const openat2 = 437;

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
    // chmod, fchmod, fchmodat, fchmodat2, creat, mknod, mknodat; open, openat
    modes: [
      [90, 1],
      [91, 1],
      [268, 2],
      [452, 2],
      [85, 1],
      [133, 1],
      [259, 2],
    ],
    opens: [
      [2, 1, 2],
      [257, 2, 3],
    ],
    attributes: [188, 189, 190, 197, 198, 199, 463, 466],
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
    modes: [
      [52, 1],
      [53, 2],
      [452, 2],
      [33, 2],
    ],
    opens: [[56, 2, 3]],
    attributes: [5, 6, 7, 14, 15, 16, 463, 466],
  },
};

const allow = 0x7fff0000;
const kill = 0x80000000;
const refuse = 0x00050000 + 1; // EPERM
const unknown = 0x00050000 + 38; // ENOSYS: the C library then falls back to clone
const unsupported = 0x00050000 + 95; // EOPNOTSUPP: as of a file system without attributes
/** Set-user-id and set-group-id: others, or the program's author, would run it with the operator's rights. */
const setIds = 0o6000;
/** O_CREAT, O_TMPFILE: only with these does an open create a file with the mode. */
const creating = 0o100 | 0o20000000;
const anyNamespace = 0x7e020000; // CLONE_NEWNS … CLONE_NEWNET
const terminalInput = [0x5412, 0x541c]; // TIOCSTI, TIOCLINUX: typing into the terminal that started us
const families = [1, 17, 40]; // AF_UNIX, AF_PACKET, AF_VSOCK

// Instruction codes from linux/bpf_common.h.
const load = 0x20;
const equals = 0x15;
const atLeast = 0x35;
const anyBit = 0x45;
const answer = 0x06;

// Offsets in struct seccomp_data.
const atNumber = 0;
const atArch = 4;
const lowArgument = (index: number): number => 16 + 8 * index;

/** The filter for this architecture; undefined if unsupported. Little-endian, 8 bytes per instruction. */
export function toSeccompFilter(arch: string): Buffer | undefined {
  const calls = tables[arch];
  if (calls === undefined) return undefined;
  const program: [code: number, jumpTrue: number, jumpFalse: number, value: number][] = [];
  const when = (code: number, value: number, result: number): void => {
    program.push([code, 0, 1, value], [answer, 0, 0, result]);
  };
  /** Applies `checks` to an argument of one call. */
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
  for (const number of [clone3, openat2]) when(equals, number, unknown);
  // What a command cannot set, undo need not revert.
  for (const number of calls.attributes) when(equals, number, unsupported);
  for (const number of [...calls.denied, ...common]) when(equals, number, refuse);
  onCall(calls.clone, 0, () => when(anyBit, anyNamespace, refuse));
  onCall(calls.ioctl, 1, () => {
    for (const request of terminalInput) when(equals, request, refuse);
  });
  onCall(calls.socket, 0, () => {
    for (const family of families) when(equals, family, refuse);
  });
  for (const [number, mode] of calls.modes)
    onCall(number, mode, () => when(anyBit, setIds, refuse));
  for (const [number, flags, mode] of calls.opens)
    onCall(number, flags, () => {
      program.push([anyBit, 0, 3, creating], [load, 0, 0, lowArgument(mode)]);
      when(anyBit, setIds, refuse);
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
