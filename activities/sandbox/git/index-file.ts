/** Reads git's index without git, which would write to any path the index names. */

const headerBytes = 12;
const maxNameBytes = 4_096;
const modeAt = 24;
const oidAt = 40;
const oidSizes = [20, 32] as const;
const modes = new Set([0o100644, 0o100755, 0o120000, 0o160000, 0o40000]);

type Verdict = 'sound' | 'malformed' | 'astray';

export type ObjectFormat = 'sha1' | 'sha256';

/** True if git would accept every path in the index: below the folder, and in no git folder. */
export function isSoundIndex(index: Buffer, format: ObjectFormat): boolean {
  const [short, long] = oidSizes.map((size) => judgeEntries(index, size));
  // If it can be read both ways, both must be harmless.
  const [verdict, other] = format === 'sha1' ? [short, long] : [long, short];
  return verdict === 'sound' && other !== 'astray';
}

function judgeEntries(index: Buffer, oidBytes: number): Verdict {
  if (index.length < headerBytes + oidBytes || index.toString('latin1', 0, 4) !== 'DIRC')
    return 'malformed';
  const version = index.readUInt32BE(4);
  const count = index.readUInt32BE(8);
  if (version < 2 || version > 4) return 'malformed';
  const blocks = readBlocks(index, oidBytes);
  if (blocks === undefined) return 'astray';
  const starts = new Map(blocks.blocks.map(({ offset, count: entries }) => [offset, entries]));
  let at = headerBytes;
  let before = '';
  let toNextBlock = 0;
  let verdict: Verdict = 'sound';
  for (let entry = 0; entry < count; entry += 1) {
    if (blocks.blocks.length > 0) {
      if (toNextBlock === 0) {
        const entries = starts.get(at);
        if (entries === undefined) return 'astray';
        toNextBlock = entries;
        before = '';
      }
      toNextBlock -= 1;
    }
    const flagsAt = at + oidAt + oidBytes;
    if (flagsAt + 4 > index.length || !modes.has(index.readUInt32BE(at + modeAt)))
      return 'malformed';
    let nameAt = flagsAt + ((index.readUInt16BE(flagsAt) & 0x4000) === 0 ? 2 : 4);
    let kept = '';
    if (version === 4) {
      const strip = readVarint(index, nameAt);
      if (strip === undefined || strip.value > before.length) return 'malformed';
      kept = before.slice(0, before.length - strip.value);
      nameAt = strip.end;
    }
    const end = index.indexOf(0, nameAt);
    if (end === -1) return 'malformed';
    // Longer than any path: if each entry were slightly longer than the last, reading would never end.
    if (kept.length + end - nameAt > maxNameBytes) return 'malformed';
    const name = kept + index.toString('latin1', nameAt, end);
    if (isAstray(name)) verdict = 'astray';
    before = name;
    at = version === 4 ? end + 1 : at + (((end - at) | 7) + 1);
  }
  const isWhole = blocks.end === undefined || blocks.end === at;
  return isWhole && toNextBlock === 0 ? verdict : 'astray';
}

/** Empty in a split index: the name is in the shared one. */
const isAstray = (name: string): boolean =>
  name !== '' &&
  name
    .replace(/\/$/, '')
    .split('/')
    .some((part) => part === '' || part === '.' || part === '..' || isGitName(part));

/**
 * Covers how case-insensitive file systems, Windows and macOS would read it; latin1 characters are UTF-8 bytes here.
 */
function isGitName(part: string): boolean {
  const plain = Buffer.from(part, 'latin1')
    .toString('utf8')
    .replaceAll(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
    .split(':', 1)[0];
  return /^(?:\.git|git~\d+)[. ]*$/i.test(plain ?? '');
}

interface Block {
  readonly offset: number;
  readonly count: number;
}

/**
 * Where git's threads would start reading, and where the entries end, if the index says so. Undefined if that differs
 * from a sequential reading: git would then see other entries than those judged.
 */
function readBlocks(
  index: Buffer,
  oidBytes: number,
): { readonly blocks: readonly Block[]; readonly end?: number } | undefined {
  const endAt = findEnd(index, oidBytes);
  if (endAt === undefined) return { blocks: [] };
  const end = index.readUInt32BE(endAt + 8);
  let at = end;
  while (at + 8 <= endAt) {
    const size = index.readUInt32BE(at + 4);
    if (at + 8 + size > endAt) return undefined;
    if (index.toString('latin1', at, at + 4) === 'IEOT') {
      const blocks: Block[] = [];
      for (let pair = at + 12; pair + 8 <= at + 8 + size; pair += 8)
        blocks.push({ offset: index.readUInt32BE(pair), count: index.readUInt32BE(pair + 4) });
      return { blocks, end };
    }
    at += 8 + size;
  }
  return { blocks: [], end };
}

/** Finds it: git looks for one with a 20-byte hash even if hashes have 32 bytes, and writes the latter. */
function findEnd(index: Buffer, oidBytes: number): number | undefined {
  const found = oidSizes
    .map((size) => ({ size: size + 4, at: index.length - oidBytes - size - 4 - 8 }))
    .filter(
      ({ size, at }) =>
        at >= headerBytes &&
        index.toString('latin1', at, at + 4) === 'EOIE' &&
        index.readUInt32BE(at + 4) === size,
    );
  return found[0]?.at;
}

/** git's offset encoding: seven bits per byte, each further byte adding one. */
function readVarint(
  index: Buffer,
  start: number,
): { readonly value: number; readonly end: number } | undefined {
  let at = start;
  let byte = index[at];
  if (byte === undefined) return undefined;
  let value = byte & 0x7f;
  while ((byte & 0x80) !== 0) {
    at += 1;
    byte = index[at];
    if (byte === undefined || value > 0xff_ffff) return undefined;
    value = ((value + 1) << 7) | (byte & 0x7f);
  }
  return { value, end: at + 1 };
}
