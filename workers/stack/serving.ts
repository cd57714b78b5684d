import { connect } from 'node:http2';
import { connect as openSocket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { toEndpoint } from '../../config/address.ts';

/** A `DescribeNamespaceRequest`, framed for gRPC: flag, length, field 1. */
const toRequest = (namespace: string): Buffer => {
  const name = Buffer.from(namespace);
  const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

/**
 * Whether Temporal answers for this namespace, asked once. Plain HTTP/2, because loading a gRPC client takes ten times
 * as long. `namespace` is at most 127 bytes.
 */
export const isServing = (address: string, namespace: string): Promise<boolean> =>
  new Promise((resolve) => {
    const session = connect('http://temporal', {
      createConnection: () => openSocket(toEndpoint(address)),
    });
    const settle = (serving: boolean): void => {
      session.destroy();
      resolve(serving);
    };
    session.on('error', () => settle(false));
    session.setTimeout(2_000, () => settle(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status: unknown;
    request.on('response', (headers) => (status = headers['grpc-status']));
    request.on('trailers', (headers) => (status = headers['grpc-status']));
    request.on('error', () => settle(false));
    request.on('end', () => settle(status === '0'));
    request.resume();
    request.end(toRequest(namespace));
  });

/** Resolves once Temporal answers, asking every few milliseconds until `signal` aborts. */
export async function waitForServing(
  address: string,
  namespace: string,
  signal?: AbortSignal,
): Promise<void> {
  while (!(await isServing(address, namespace))) {
    signal?.throwIfAborted();
    await setTimeout(10);
  }
}
