const scheme = 'unix:';

/** The socket path of an address like `unix:/path`; undefined for `host:port`. */
export const toSocketPath = (address: string): string | undefined =>
  address.startsWith(`${scheme}/`) ? address.slice(scheme.length) : undefined;

export const toSocketAddress = (path: string): string => `${scheme}${path}`;

/** Options for `net.connect`. The caller supplies a missing port. */
export function toEndpoint(
  address: string,
): { readonly path: string } | { readonly host: string; readonly port: number } {
  const path = toSocketPath(address);
  if (path !== undefined) return { path };
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port) };
}
