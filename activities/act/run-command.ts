import type { Duplex } from 'node:stream';
import type { Action } from '../../policies/action.ts';
import { prepareArgv } from '../../policies/commands/prepare-argv.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import { hasNetwork } from '../../policies/network/network.ts';
import type { Authorize } from '../files/files.ts';
import { serveLink } from '../network/link.ts';
import { createProxy } from '../network/proxy.ts';
import { guardOf } from '../sandbox/guard.ts';
import { runCommandLine } from '../sandbox/shell.ts';
import { markName } from '../snapshots/git.ts';
import { failed } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { ToolContext } from './tool-context.ts';

const defaultTimeoutSeconds = 120;

export async function runCommand(
  { args, access, workspace }: Action,
  context: ToolContext & { readonly authorize: Authorize },
): Promise<Outcome> {
  if (access.section !== 'commands') return failed('This is not a command line.');
  const { authorize, policy, effect, sandbox, signal, spillDir, blobs, lease, redactor } = context;
  const seconds = (args['timeoutSeconds'] as number | undefined) ?? defaultTimeoutSeconds;
  const line = toCommandLine(access, workspace);
  const outcome = await runCommandLine(line, {
    root: workspace,
    sandbox,
    timeoutMs: seconds * 1000,
    maxOutputBytes: policy.budgets.outputBytes,
    limits: policy.sandbox,
    // A script may do more than is visible in it.
    readOnly: line.kind === 'plain' && effect === 'pure',
    redactor,
    signal,
    spillDir,
    authorize,
    guard: guardOf(policy),
    isLocked: context.locked ?? (() => true),
    serveNetwork: (argv) => (hasNetwork(policy, argv) ? serveLinks(context) : undefined),
    prepareArgv: (argv) => prepareArgv(policy, argv),
    marks: lease === undefined ? undefined : { [markName]: lease.mark },
    beforeStart: lease === undefined ? undefined : () => lease.check(),
  });
  const { exitCode, timedOut, bytes, redacted, head, tail, whole } = outcome;
  const ref = whole === undefined ? undefined : await blobs.adopt(whole.file, whole.sha256);
  const left = bytes - Buffer.byteLength(head) - Buffer.byteLength(tail);
  const cut =
    left <= 0 || ref === undefined
      ? ''
      : `\n[… ${left} bytes omitted; read_blob ${ref} has ${whole?.bytes === bytes ? 'all' : `the first ${whole?.bytes}`} …]\n`;
  const state = timedOut
    ? `stopped after ${seconds} s, exit code ${exitCode}`
    : `exit code ${exitCode}`;
  return {
    ok: exitCode === 0,
    text: `${state}\n${head}${cut}${tail}`,
    exitCode,
    bytes,
    redacted,
    changed: [],
    whole: ref,
  };
}

/** A process's way to the network: a proxy that applies the policy and logs every request. */
function serveLinks({ policy, audit, base: { run, step, digest } }: ToolContext) {
  const proxy = createProxy({
    policy,
    log: (request) =>
      audit.append({
        kind: 'network',
        time: new Date().toISOString(),
        run,
        step,
        digest,
        ...request,
      }),
  });
  return (link: Duplex): void => serveLink(link, proxy);
}
