import type { Decision, Verdict } from '../action.ts';
import { isAddress, reachOf } from './addresses.ts';
import { matchesHost, withoutDot } from './hosts.ts';
import type { HostRule, Policy } from '../policy.ts';

// oxlint-disable-next-line no-control-regex
const hidden = /[\u0000-\u0020\u007f\\]/;

const decision = (verdict: Verdict, rule: string, reason: string): Decision => ({
  verdict,
  rule,
  reason,
  effect: 'external',
});

/**
 * Judges one request. With `resolvedAddresses` (everything DNS returned) each must be acceptable, and the caller must
 * dial one of them; without, only the name is judged. A redirect is a new request: judge it again.
 */
export function decideUrl(
  policy: Policy,
  url: string,
  resolvedAddresses?: readonly string[],
  method = 'GET',
): Decision {
  try {
    return judge(policy.network, url, resolvedAddresses, method);
  } catch (error) {
    return decision('deny', 'network.failed', `The address could not be judged: ${String(error)}.`);
  }
}

/** Whether a command, as written, gets network access. */
export const hasNetwork = ({ networkCommands }: Policy, argv: readonly string[]): boolean =>
  networkCommands.some((words) => words.every((word, index) => argv[index] === word));

/** The policy when the operator has not enabled the network (`ALLOW_NET`). */
export const withoutNetwork = (policy: Policy): Policy => ({ ...policy, networkCommands: [] });

function judge(
  rules: readonly HostRule[],
  text: string,
  addresses: readonly string[] | undefined,
  method: string,
): Decision {
  const url = hidden.test(text) ? null : URL.parse(text);
  const shown = JSON.stringify(text.slice(0, 200));
  const malformed = (why: string) => decision('deny', 'network.form', `${shown} ${why}.`);
  if (url === null) return malformed('is not a URL; expected http:// or https:// and a host');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return malformed(`uses ${url.protocol} where only http: and https: are possible`);
  }
  // Check the text too: empty credentials (`http://@host/`) leave no trace in the parsed URL.
  const authority = /^[^:]*:\/*([^/?#]*)/.exec(text)?.[1] ?? '';
  if (url.username !== '' || url.password !== '' || authority.includes('@')) {
    return malformed('contains credentials; leave them out');
  }
  const host = withoutDot(url.hostname);
  if (host === '') return malformed('has no host');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);

  const wanted = method.toUpperCase();
  const rule = rules.find(
    ({ hosts, methods }) =>
      hosts.some((pattern) => matchesHost(pattern, host, port)) &&
      (methods === undefined || methods.includes(wanted)),
  );
  const target = `${wanted} ${host}:${port}`;
  if (rule === undefined) {
    const reason = `${target} is not allowed: network.yaml lists no such host, port and method.`;
    return decision('deny', 'network.default', reason);
  }
  if (rule.verdict !== 'deny') {
    const found = isAddress(host) ? [host.replace(/^\[|\]$/g, '')] : addresses;
    const named = rule.hosts.some((p) => p.ports !== undefined && matchesHost(p, host, port));
    const refused = addressProblem(found, named);
    if (refused !== undefined) {
      return decision('deny', 'network.address', `${target} is not allowed: ${refused}.`);
    }
  }
  const why = rule.reason === undefined ? '.' : `: ${rule.reason}`;
  const verbs = { allow: 'is allowed', ask: 'needs a person’s approval', deny: 'is not allowed' };
  return decision(rule.verdict, rule.id, `${target} ${verbs[rule.verdict]}${why}`);
}

function addressProblem(
  addresses: readonly string[] | undefined,
  portNamed: boolean,
): string | undefined {
  if (addresses === undefined) return undefined;
  if (addresses.length === 0) return 'the name does not resolve to an address';
  for (const address of addresses) {
    const reach = reachOf(address);
    if (reach === 'never') return `${address} is link-local, a metadata service or not routable`;
    if (reach === 'private' && !portNamed) {
      return `${address} is not a public address; a rule that names the port may allow it`;
    }
  }
}
