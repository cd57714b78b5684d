/**
 * Process entry, as the first process in its own network namespace: runs Temporal and connects two Unix sockets to its
 * ports: `temporal.sock` (gRPC, plain or after an HTTP CONNECT, as the native client does) and `web.sock` (the Web UI).
 * It and Temporal end together; it asks Temporal to exit when its own input closes. Imports none of our modules,
 * because every start waits for it.
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';

const [folder = '', temporalPort = '', webPort = '', program = '', ...args] = process.argv.slice(2);
const connectHead = 'CONNECT ';
const maxHead = 4_096;
const lookMs = 5;

const temporal = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
temporal.on('error', (error) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exit(1);
});
temporal.on('exit', (code) => process.exit(code ?? 1));
const end = (): void => void temporal.kill('SIGTERM');
process.on('SIGTERM', end);
process.on('SIGINT', end);
process.stdin.on('end', end).resume();

/** Copies bytes both ways until either side is done. */
function carry(near: Socket, port: number, head?: Buffer): void {
  const far = connect({ port, host: '127.0.0.1', noDelay: true });
  if (head !== undefined && head.length > 0) far.write(head);
  near.pipe(far);
  far.pipe(near);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

/** The native client asks for a tunnel first; all others start speaking at once. */
function takeCall(near: Socket): void {
  let head = Buffer.alloc(0);
  const read = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const isTunnel = connectHead.startsWith(head.toString('latin1', 0, connectHead.length));
    const ends = isTunnel ? head.indexOf('\r\n\r\n') : 0;
    if (ends === -1) return void (head.length > maxHead && near.destroy());
    near.off('data', read);
    near.pause();
    if (isTunnel) near.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    carry(near, Number(temporalPort), isTunnel ? head.subarray(ends + 4) : head);
  };
  near.on('error', () => near.destroy());
  near.on('data', read);
}

/** Does not listen before Temporal does. */
function listenWhenUp(name: string, port: number, take: (near: Socket) => void): void {
  const probe = connect({ port, host: '127.0.0.1' });
  probe.on('error', () => setTimeout(() => listenWhenUp(name, port, take), lookMs));
  probe.on('connect', () => {
    probe.destroy();
    const path = join(folder, name);
    rmSync(path, { force: true });
    createServer(take).listen(path);
  });
}

listenWhenUp('temporal.sock', Number(temporalPort), takeCall);
listenWhenUp('web.sock', Number(webPort), (near) => carry(near, Number(webPort)));
