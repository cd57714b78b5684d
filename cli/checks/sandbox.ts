import type { Settings } from '../../config/environment.ts';
import { runProject } from '../../client/child.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

/** Output of `workers/probe.ts`. */
type Probed =
  | {
      readonly kind: 'bubblewrap';
      readonly version: string;
      readonly filter: boolean;
      readonly processes: 'control-group' | 'kernel' | 'watched';
      readonly memory: 'control-group' | 'watched';
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly fix: string };

/** How the limits in tools.yaml (`sandbox`) are enforced here. */
function checkLimits({ processes, memory }: Extract<Probed, { kind: 'bubblewrap' }>): Check {
  const watched =
    memory === 'control-group'
      ? 'memory by a control group, disk watched ten times a second, the rest by the kernel'
      : 'memory and disk watched ten times a second, the rest by the kernel';
  switch (processes) {
    case 'control-group':
      return ok('limits', `processes by a control group, ${watched}`);
    case 'kernel':
      return ok('limits', `processes by the kernel, because there is no control group; ${watched}`);
    case 'watched':
      return warn(
        'limits',
        `processes are only watched: no control group is available; ${watched}`,
        'Run dev-agent as another user than root, or with a pids limit of the container.',
      );
  }
}

/** Checks that commands can be confined, by running a sandbox in a separate process. */
export async function checkSandbox({ sandbox: choice }: Settings): Promise<Check[]> {
  const { code, stdout, stderr } = await runProject('workers/probe.ts', [choice]);
  if (code !== 0) {
    const [reason = ''] = stderr.trim().split('\n').slice(-1);
    return [fail('sandbox', `it could not be tried: ${reason}`, 'See the README, "Try it".')];
  }
  const sandbox = JSON.parse(stdout) as Probed;
  switch (sandbox.kind) {
    case 'bubblewrap':
      return [
        ok(
          'sandbox',
          `bubblewrap ${sandbox.version}, no network inside, ${sandbox.filter ? 'system calls filtered' : 'no system-call filter for this processor'}`,
        ),
        checkLimits(sandbox),
      ];
    case 'none':
      return [
        warn('sandbox', 'AGENT_SANDBOX=none: commands run unconfined', 'Unset AGENT_SANDBOX.'),
      ];
    case 'unavailable':
      return [warn('sandbox', `RESTRICTED, only file tools: ${sandbox.reason}`, sandbox.fix)];
  }
}
