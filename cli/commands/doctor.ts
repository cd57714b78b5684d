import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import type { CheckGroup } from '../checks/check.ts';
import { renderChecks } from '../checks/check.ts';
import { checkFolders } from '../checks/folders.ts';
import { checkMachine } from '../checks/machine.ts';
import { checkAudit, checkEncryption, checkPolicies } from '../checks/record.ts';
import { checkSandbox } from '../checks/sandbox.ts';
import { checkModelServer, checkTemporal } from '../checks/services.ts';
import { stripControls } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { parseFolder, textOf } from '../run-options.ts';

/** `agent doctor`: looks at everything a run needs and changes nothing. Exit 1 when something would fail. */
export async function examineMachine({ flags }: Invocation): Promise<number> {
  const directory = textOf(flags, 'directory');
  const settings = readSettings(
    directory === undefined ? {} : { flags: { workspace: parseFolder(directory) } },
  );
  const [machine, temporal, model, sandbox, policies, audit] = await Promise.all([
    checkMachine(settings),
    checkTemporal(settings),
    checkModelServer(settings),
    checkSandbox(settings),
    checkPolicies(settings),
    checkAudit(settings),
  ]);
  const groups: CheckGroup[] = [
    { group: 'Machine', checks: [...machine, ...sandbox] },
    { group: 'Model', checks: model },
    { group: 'Temporal', checks: temporal },
    { group: 'Folders', checks: checkFolders(settings) },
    { group: 'Policies and record', checks: [...policies, ...audit, ...checkEncryption(settings)] },
  ];
  const healthy = groups.every(({ checks }) => checks.every(({ state }) => state !== 'fail'));
  if (flags['json'] === true) printJson({ ok: healthy, groups });
  else printText(stripControls(renderChecks(groups)));
  return healthy ? 0 : 1;
}
