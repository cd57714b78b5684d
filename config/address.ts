const scheme = 'unix:';

/** The path of the socket where an address names one, as `unix:/path`; undefined for `host:port`. */
export const toSocketPath = (address: string): string | undefined =>
  address.startsWith(`${scheme}/`) ? address.slice(scheme.length) : undefined;

export const toSocketAddress = (path: string): string => `${scheme}${path}`;

/** What `net.connect` takes. A port that is missing is the caller's to know. */
export function toEndpoint(
  address: string,
): { readonly path: string } | { readonly host: string; readonly port: number } {
  const path = toSocketPath(address);
  if (path !== undefined) return { path };
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) };
}
