import type { Sandbox } from '../../activities/workspace/sandbox.ts';
import type { Settings } from '../../config/environment.ts';
import { runProject } from '../child.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';

/** Whether commands can be confined here: a sandbox is really run, in a process of its own. */
export async function checkSandbox({ sandbox: choice }: Settings): Promise<Check[]> {
  const { code, stdout, stderr } = await runProject('workers/probe.ts', [choice]);
  if (code !== 0) {
    const [reason = ''] = stderr.trim().split('\n').slice(-1);
    return [fail('sandbox', `it could not be tried: ${reason}`, 'See the README, "Try it".')];
  }
  const sandbox = JSON.parse(stdout) as Sandbox;
  switch (sandbox.kind) {
    case 'bubblewrap':
      return [ok('sandbox', `bubblewrap ${sandbox.version}, no network inside`)];
    case 'none':
      return [
        warn('sandbox', 'AGENT_SANDBOX=none: commands run unconfined', 'Unset AGENT_SANDBOX.'),
      ];
    case 'unavailable':
      return [warn('sandbox', `${sandbox.reason} Commands are refused`, sandbox.fix)];
  }
}
