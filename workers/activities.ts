import { join } from 'node:path';
import type { ModelActivities, WorkspaceActivities } from '../activities/contract.ts';
import { createBlobStore } from '../audit/blobs.ts';
import type { Settings } from '../config/environment.ts';
import type { Log } from './logger.ts';

/**
 * The model side, which has the key and no workspace. Loaded only where the role is served.
 * `keyOf` gives the key for a model server, if there is one.
 */
export async function createModelSide(
  settings: Settings,
  keyOf: (baseUrl: string) => string | undefined,
  log: Log,
): Promise<ModelActivities> {
  const { createModelActivities } = await import('../activities/model/model-activities.ts');
  const { folders } = settings;
  return createModelActivities({
    blobs: createBlobStore(folders.blobs),
    keyOf,
    defaultBaseUrl: settings.baseUrl,
    spoolDir: folders.spool,
    answersDir: join(folders.root, 'answers'),
    log,
  });
}

/** The workspace side, which has the folder and no key. @throws ConfigError when a policy file is wrong. */
export async function createWorkspaceSide(
  settings: Settings,
  log: Log,
): Promise<WorkspaceActivities> {
  const { createWorkspaceActivities } = await import('../activities/tools/workspace-activities.ts');
  return createWorkspaceActivities(await readWorkspaceDependencies(settings, log));
}
