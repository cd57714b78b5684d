/** One request of the corpus, made through the proxy of commands: names resolve as the case says, and nobody is really dialled. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { authorize } from '../../activities/network/authorize.ts';
import type { Resolver } from '../../activities/network/authorize.ts';
import { createProxy } from '../../activities/network/proxy.ts';
import { withNetwork } from '../../cli/cases/candidates.ts';
import type { Policy } from '../../policies/policy.ts';
import { speak } from './proxy-client.ts';

export interface NetworkInput {
  readonly url: string;
  readonly method?: string;
  readonly allow?: readonly string[];
  /** The answers for a host, one after the other; the last one stays. */
  readonly dns?: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly redirects?: readonly string[];
}

const usualAnswers: NetworkInput['dns'] = {
  'api.example.com': [['93.184.216.34']],
  'host.docker.internal': [['172.17.0.1']],
};

export interface NetworkAnswer {
  readonly allowed: boolean;
  readonly dialled: readonly string[];
  readonly said: string;
}

export async function makeRequest(base: Policy, input: NetworkInput): Promise<NetworkAnswer> {
  const policy = input.allow === undefined ? base : withNetwork(base, input.allow);
  if ('verdict' in policy) return { allowed: false, dialled: [], said: policy.reason };
  const resolve = createResolver(input.dns);
  const dialled: string[] = [];
  const server = createServer((_, response) => response.end('reached'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = createProxy({
    policy,
    resolve,
    log: () => Promise.resolve(),
    async dial(address) {
      dialled.push(address);
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
  });
  try {
    let at = input.url;
    for (const next of [undefined, ...(input.redirects ?? [])]) {
      if (next !== undefined) at = URL.parse(next, at)?.href ?? next;
      const { decision } = await authorize(at, policy, resolve, input.method);
      const answer = await ask(proxy, at, input.method ?? 'GET');
      if (decision.verdict !== 'allow') return { allowed: false, dialled, said: decision.reason };
      if (!answer.startsWith('HTTP/1.1 200')) return { allowed: false, dialled, said: answer };
    }
    return { allowed: true, dialled, said: 'reached' };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function createResolver(dns: NetworkInput['dns'] = {}): Resolver {
  const asked = new Map<string, number>();
  return (host) => {
    const answers = dns[host] ?? usualAnswers?.[host] ?? [];
    const count = asked.get(host) ?? 0;
    asked.set(host, count + 1);
    return Promise.resolve(answers[Math.min(count, answers.length - 1)] ?? []);
  };
}

/** As a client would: plain requests by their whole URL, all others through a tunnel. */
function ask(proxy: Server, url: string, method: string): Promise<string> {
  const parsed = URL.parse(url);
  const end = 'Host: x\r\nConnection: close\r\n\r\n';
  if (parsed?.protocol !== 'https:') return speak(proxy, `${method} ${url} HTTP/1.1\r\n${end}`);
  const target = `${parsed.hostname}:${parsed.port === '' ? 443 : parsed.port}`;
  return speak(proxy, `CONNECT ${target} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n${end}`);
}
