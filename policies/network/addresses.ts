/**
 * `public`: the internet. `private`: this machine, its networks and reserved ranges, reachable only through a rule that
 * names the port. `never`: link-local, cloud metadata, multicast, unspecified, and anything that is not an address.
 */
export type Reach = 'public' | 'private' | 'never';

type Range = readonly [bytes: readonly number[], bits: number];

const v4 = (text: string, bits: number): Range => [parseIPv4(text) ?? [], bits];
const v6 = (text: string, bits: number): Range => [parseIPv6(text) ?? [], bits];

function parseIPv4(text: string): number[] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  return bytes?.every((byte) => byte <= 255) === true ? bytes : undefined;
}

/** Sixteen bytes. Refuses a zone (`%eth0`): it names an interface, not an address. */
function parseIPv6(text: string): number[] | undefined {
  let body = text;
  const tail = /(?<=:)[\d.]+$/.exec(text)?.[0];
  if (tail?.includes('.') === true) {
    const bytes = parseIPv4(tail);
    if (bytes === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    body = text.slice(0, -tail.length) + hex;
  }
  const halves = body.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], end = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - end.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...end];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

const isWithin = (bytes: readonly number[], [base, bits]: Range): boolean =>
  base.every((byte, index) => {
    const left = Math.min(8, Math.max(0, bits - index * 8));
    const mask = (0xff << (8 - left)) & 0xff;
    return ((bytes[index] ?? 0) & mask) === (byte & mask);
  });

const never4: readonly Range[] = [
  v4('0.0.0.0', 8),
  v4('169.254.0.0', 16),
  v4('224.0.0.0', 4),
  v4('240.0.0.0', 4),
  // Metadata services of Azure, Alibaba and Oracle, outside the link-local range.
  v4('168.63.129.16', 32),
  v4('100.100.100.200', 32),
  v4('192.0.0.192', 32),
];
const private4: readonly Range[] = [
  v4('10.0.0.0', 8),
  v4('100.64.0.0', 10),
  v4('127.0.0.0', 8),
  v4('172.16.0.0', 12),
  v4('192.0.0.0', 24),
  v4('192.0.2.0', 24),
  v4('192.88.99.0', 24),
  v4('192.168.0.0', 16),
  v4('198.18.0.0', 15),
  v4('198.51.100.0', 24),
  v4('203.0.113.0', 24),
];
const never6: readonly Range[] = [
  v6('::', 128),
  v6('fe80::', 10),
  v6('ff00::', 8),
  v6('fd00:ec2::', 32),
  v6('2001::', 32),
];
const private6: readonly Range[] = [
  v6('::1', 128),
  v6('fc00::', 7),
  v6('fec0::', 10),
  v6('64:ff9b:1::', 48),
  v6('100::', 64),
  v6('2001::', 23),
  v6('2001:db8::', 32),
  v6('3fff::', 20),
  v6('5f00::', 16),
];
/** Ranges that embed an IPv4 address, and its offset: mapped, translated, NAT64, 6to4, compatible. */
const carriers: readonly (readonly [Range, number])[] = [
  [v6('::ffff:0:0', 96), 12],
  [v6('::ffff:0:0:0', 96), 12],
  [v6('64:ff9b::', 96), 12],
  [v6('2002::', 16), 2],
  [v6('::', 96), 12],
];

/** Classifies an address as DNS or a socket gives it. */
export function reachOf(address: string): Reach {
  const four = parseIPv4(address);
  if (four !== undefined) return reach4(four);
  const six = parseIPv6(address);
  if (six === undefined) return 'never';
  if (never6.some((range) => isWithin(six, range))) return 'never';
  if (private6.some((range) => isWithin(six, range))) return 'private';
  const carrier = carriers.find(([range]) => isWithin(six, range));
  return carrier === undefined ? 'public' : reach4(six.slice(carrier[1], carrier[1] + 4));
}

const reach4 = (bytes: readonly number[]): Reach => {
  if (never4.some((range) => isWithin(bytes, range))) return 'never';
  return private4.some((range) => isWithin(bytes, range)) ? 'private' : 'public';
};

/** True for an address as `URL.hostname` gives it: `127.0.0.1`, `[::1]`. */
export const isAddress = (hostname: string): boolean =>
  parseIPv4(hostname) !== undefined || hostname.startsWith('[');
