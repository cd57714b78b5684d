/**
 * Which version of each file a run knows: what it last read or wrote. Stored in the chain of observations, hence the
 * same for every attempt and process. An edit by a person or command outdates it, and the file must be read again.
 */
import type { BlobStore } from '../../audit/record/blobs.ts';
import { hashOf } from '../../audit/record/blobs.ts';
import type { Action } from '../../policies/action.ts';
import type { Observation } from '../contract/act.ts';
import type { Ref } from '../contract/refs.ts';
import { hashFile } from '../files/files.ts';
import type { CheckVersion } from '../files/files.ts';
import { hashRegular } from '../files/regular.ts';
import { PathRefused, walk } from '../files/walk.ts';

/** By final path; `null` if there was no file. */
export type Versions = ReadonlyMap<string, string | null>;

/** A file and the sha256 of its content, as a tool left or found it. */
export interface Seen {
  readonly path: string;
  readonly sha256: string | null;
}

const maxHeads = 32;
/** Larger files are not hashed: it takes too long. */
export const maxHashedBytes = 64 * 1024 * 1024;
const known = new WeakMap<BlobStore, Map<Ref, Versions>>();

/** What a run knows at observation `head`. Reads only what is new since an earlier call. */
export async function readVersions(blobs: BlobStore, head: Ref | undefined): Promise<Versions> {
  const heads = known.get(blobs) ?? new Map<Ref, Versions>();
  known.set(blobs, heads);
  const seen: Seen[] = [];
  let at = head;
  while (at !== undefined && !heads.has(at)) {
    const observation: Observation = await blobs.getJson<Observation>(at);
    if (observation.seen !== undefined) seen.push(observation.seen);
    at = observation.previous;
  }
  const versions = new Map(at === undefined ? [] : heads.get(at));
  for (const { path, sha256 } of seen.toReversed()) versions.set(path, sha256);
  if (head !== undefined) {
    heads.delete(head);
    heads.set(head, versions);
    const [oldest] = heads.keys();
    if (heads.size > maxHeads && oldest !== undefined) heads.delete(oldest);
  }
  return versions;
}

/** Refuses to change a file if the run knows another version, or none, or if it is not what a person approved. */
export async function createCheck(
  blobs: BlobStore,
  { previous, against }: { readonly previous?: Ref; readonly against?: string },
): Promise<CheckVersion> {
  const versions = await readVersions(blobs, previous);
  return (path, old, operation) => {
    if (against !== undefined && old.sha256 !== against)
      throw new PathRefused(
        'mismatch',
        `${path} was changed since the change was approved. Nothing was written. Read it again with read_file.`,
      );
    requireKnown(versions, path, old, operation);
  };
}

const requireKnown = (
  versions: Versions,
  ...[path, { sha256, bytes }, operation]: Parameters<CheckVersion>
): void => {
  const version = versions.get(path);
  if (version === sha256) return;
  if (version !== undefined && version !== null)
    throw new PathRefused(
      'mismatch',
      `${path} was changed by the user or a command since you last read or wrote it. Nothing was written. Read it again with read_file, and continue from its current content.`,
    );
  // An edit contains what it replaces; an empty file has nothing to lose.
  if (operation === 'edit' || bytes === 0) return;
  if (bytes > maxHashedBytes)
    throw new PathRefused(
      'too-large',
      `${path} has ${bytes} bytes, too many for the file tools. Nothing was written. Move it aside with a command (mv), or ask the user.`,
    );
  throw new PathRefused(
    'mismatch',
    `${path} exists, and you have not read it in this run. Nothing was written. Read it with read_file first${operation === 'write' ? '; to change part of it, use edit_file' : ''}.`,
  );
};

/** The file a call changes, and how; undefined for all other calls. */
function toChange({
  access,
}: Action): { operation: Parameters<CheckVersion>[2]; path: string } | undefined {
  if (access.section !== 'paths') return undefined;
  const { op: operation, path } = access;
  return operation === 'read' || operation === 'list' ? undefined : { operation, path };
}

/** Why changing a file would be refused, before anything is done; undefined if allowed. */
export function findProblem(check: CheckVersion, action: Action): string | undefined {
  const change = toChange(action);
  if (change === undefined) return undefined;
  try {
    walk(action.workspace, change.path, false, (place) => {
      const old = hashRegular(place);
      if (old !== undefined) check(place.path, old, change.operation);
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof PathRefused)) throw error;
    return error.code === 'mismatch' ? error.message : undefined;
  }
}

/** sha256 of the file an action is about to change, `null` if none; undefined if the action names no file. */
export function findVersion(action: Action): string | null | undefined {
  const change = toChange(action);
  if (change === undefined) return undefined;
  try {
    return hashFile(action.workspace, change.path);
  } catch (error) {
    if (error instanceof PathRefused) return null;
    throw error;
  }
}

/**
 * What an approval covers: the action and, if a file's change was shown, the version it was shown against. Only the
 * action if there is no file yet, and so nothing to lose.
 */
export const toShown = (digest: string, version: string | null | undefined): string =>
  version === undefined || version === null ? digest : hashOf(`${digest} against ${version}`);
