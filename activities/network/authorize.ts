import { lookup } from 'node:dns/promises';
import type { Decision } from '../../policies/action.ts';
import { isAddress } from '../../policies/network/addresses.ts';
import { withoutDot } from '../../policies/network/hosts.ts';
import { decideUrl } from '../../policies/network/network.ts';
import type { Policy } from '../../policies/policy.ts';

/** All addresses of a host name; rejects or is empty where it has none. */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** The machine's own. */
export const resolveHost: Resolver = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export interface Authorization {
  readonly decision: Decision;
  /** What was asked for, as parsed: send this, not the text it came from. Absent for what is no such URL. */
  readonly url?: URL;
  readonly port?: number;
  /** Checked; dial one of exactly these. Empty unless allowed. */
  readonly addresses: readonly string[];
}

/**
 * Judges one request, for everybody who makes requests for the agent. A host that no rule names is not even looked up; of one
 * that is, every address must be acceptable. A redirect is a request of its own.
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
