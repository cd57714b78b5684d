import { toText } from '../../snapshots/byte-path.ts';
import { disarmFolder, disarmObjects, disarmPointer } from './disarm.ts';
import type { Disarmed } from './disarm.ts';
import type { GitPlaces } from './find.ts';
import { restoreIncluded } from './included.ts';
import { deepestFirst, fromFolder, isBelow } from './paths.ts';
import { pause } from './pause.ts';
import { removeBefore, writeRecord } from './record.ts';
import type { Before } from './record.ts';
import { isBulk, readPointerState, toScene } from './scan.ts';
import type { Workspace } from './scan.ts';

interface Settled {
  /** Folder of the records of whose each git folder is. */
  readonly folder: string;
  readonly places: GitPlaces;
  readonly before: Before;
  /** Identities of what existed before any of our commands. */
  readonly own: ReadonlySet<string>;
}

/** Disarms what a command left in the workspace and records what it created. Returns what was not kept. */
export async function settleWorkspace(
  workspace: Workspace,
  { folder, places, before, own }: Settled,
): Promise<string[]> {
  const { root, bytes } = workspace;
  const found = await disarmWorkspace(workspace, places, before);
  const changed = restoreIncluded(root, before.included);
  const now = [...places.folders, ...places.pointers].map((path) => workspace.identify(path));
  const made = now.filter((id) => id !== '' && !own.has(id));
  writeRecord(folder, root, { own: [...own], made });
  removeBefore(folder, root);
  return [...found.map((item) => renderDisarmed(bytes, item)), ...changed.map(renderIncluded)];
}

export function renderDisarmed(workspace: string, { path, why }: Disarmed): string {
  const inside = isBelow(workspace, path) ? fromFolder(workspace, path) : path;
  return `${toText(inside)} (${why})`;
}

const renderIncluded = (path: string): string => `${path} (the repository’s settings include it)`;

/** Disarms what is in the workspace itself: anything new, and the writable part of covered folders. */
async function disarmWorkspace(
  workspace: Workspace,
  places: GitPlaces,
  { states, pointers, covered }: Omit<Before, 'included'>,
): Promise<Disarmed[]> {
  const scene = toScene(workspace, places);
  const found: Disarmed[] = [];
  const copied = [...places.folders]
    .map((path) => ({ path, id: workspace.identify(path) }))
    .filter(({ id }) => covered.has(id));
  for (const path of [...places.folders].toSorted(deepestFirst)) {
    await pause();
    const around = copied.find((other) => other.path === path || isBelow(other.path, path));
    if (around === undefined || isBulk(fromFolder(around.path, path))) {
      found.push(...(await disarmFolder(scene, path, states.get(workspace.identify(path)))));
      continue;
    }
    found.push(...disarmObjects(scene, path, states.get(workspace.identify(path))));
  }
  for (const path of places.pointers) {
    const around = copied.find((other) => isBelow(other.path, path));
    if (around !== undefined && !isBulk(fromFolder(around.path, path))) continue;
    const id = workspace.identify(path);
    const before = pointers.get(id);
    const now = readPointerState(workspace, path);
    const isSame =
      before?.target === now.target && (covered.has(id) || before?.stamp === now.stamp);
    if (before === undefined || !isSame) found.push(...disarmPointer(scene, path));
  }
  return found;
}
