import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import type { CheckGroup } from '../checks/check.ts';
import { renderChecks } from '../checks/check.ts';
import { checkFolders } from '../checks/folders.ts';
import { checkMachine } from '../checks/machine.ts';
import { checkAudit, checkEncryption, checkPolicies } from '../checks/record.ts';
import { checkSandbox } from '../checks/sandbox.ts';
import { checkModelServer, checkTemporal } from '../checks/services.ts';
import { stripControls } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { folderOption } from '../values.ts';

/** `agent doctor`: checks everything a run needs and changes nothing. Exit 1 if something would fail. */
export const command = defineCommand({
  options: { directory: folderOption },
  example: 'agent doctor',
  async run({ options, json }) {
    const settings = readSettings({ flags: { workspace: options.directory } });
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
      {
        group: 'Policies and record',
        checks: [...policies, ...audit, ...checkEncryption(settings)],
      },
    ];
    const healthy = groups.every(({ checks }) => checks.every(({ state }) => state !== 'fail'));
    if (json) printJson({ ok: healthy, groups });
    else printText(stripControls(renderChecks(groups)));
    return healthy ? 0 : 1;
  },
});
