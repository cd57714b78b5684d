import { isAddress } from './addresses.ts';

/** `api.example.com` or `*.example.com` (subdomains only), each with an optional `:port`. */
export interface HostPattern {
  readonly text: string;
  /** As in `URL.hostname`, without a trailing dot; for a wildcard, the part after `*.`. */
  readonly host: string;
  readonly wildcard: boolean;
  /** Absent: 80 and 443, public addresses only. */
  readonly ports?: readonly number[];
}

class HostError extends Error {
  override readonly name = 'HostError';
}

/** @throws HostError if the text is not a host pattern; the message says what was expected. */
export function toHostPattern(text: string): HostPattern {
  const match = /^(\*\.)?(\[[0-9a-f:.]+\]|[^\s:/?#@\\*[\]%]+)(?::(\d{1,5}))?$/i.exec(text);
  if (match === null) throw new HostError(`"${text}" is not a host pattern`);
  const [, star, name = '', portText] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) {
    throw new HostError(`port ${port} does not exist`);
  }
  const url = URL.parse(`http://${name}/`);
  if (url === null) throw new HostError(`"${name}" is not a host name`);
  const host = withoutDot(url.hostname);
  if (isAddress(host) && (star !== undefined || host !== name.toLowerCase())) {
    throw new HostError(`"${text}" is an address in an unusual form; write ${host}`);
  }
  if (star !== undefined && !host.includes('.')) {
    throw new HostError(`"${text}" would match a whole top-level domain`);
  }
  return {
    text,
    host,
    wildcard: star !== undefined,
    ports: port === undefined ? undefined : [port],
  };
}

export const withoutDot = (host: string): string => (host.endsWith('.') ? host.slice(0, -1) : host);

/** `host` as in `URL.hostname`, without a trailing dot; `port` with the scheme's default filled in. */
export function matchesHost(pattern: HostPattern, host: string, port: number): boolean {
  const named = pattern.wildcard
    ? host.endsWith(`.${pattern.host}`) && !isAddress(host)
    : host === pattern.host;
  return named && (pattern.ports ?? [80, 443]).includes(port);
}
