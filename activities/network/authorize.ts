import { lookup } from 'node:dns/promises';
import type { Decision } from '../../policies/action.ts';
import { isAddress } from '../../policies/network/addresses.ts';
import { withoutDot } from '../../policies/network/hosts.ts';
import { decideUrl } from '../../policies/network/network.ts';
import type { Policy } from '../../policies/policy.ts';

/** All addresses of a host name; rejects or returns none if it does not resolve. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** The system's resolver. */
export const resolveHost: Resolver = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export interface Authorization {
  readonly decision: Decision;
  /** The parsed URL: send this, not the original text. Absent if it is not a valid URL. */
  readonly url?: URL;
  readonly port?: number;
  /** Checked; dial one of these. Empty unless allowed. */
  readonly addresses: readonly string[];
}

/**
 * Judges one request, for everything that makes requests for the agent. Hosts without a rule are not even resolved;
 * otherwise every address must be acceptable. A redirect is a new request.
 */
export async function authorize(
  text: string,
  policy: Policy,
  resolve: Resolver = resolveHost,
  method = 'GET',
): Promise<Authorization> {
  const named = decideUrl(policy, text, undefined, method);
  const url = URL.parse(text);
  if (url === null) return { decision: named, addresses: [] };
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (named.verdict !== 'allow') return { decision: named, url, port, addresses: [] };
  const host = withoutDot(url.hostname).replace(/^\[|\]$/g, '');
  const addresses = isAddress(url.hostname) ? [host] : await resolve(host).catch(() => []);
  const decision = decideUrl(policy, text, addresses, method);
  return { decision, url, port, addresses: decision.verdict === 'allow' ? addresses : [] };
}
