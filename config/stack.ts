import type { ProcessId } from './process.ts';

/** What the local stack writes to `stack.json` and what its control port understands. */

/** `stack.json`: rewritten atomically (temp + rename) by the supervisor only. */
export interface StackFile {
  readonly v: 1;
  readonly pid: number;
  /** Start time of the supervisor in clock ticks since boot (field 22 of /proc/<pid>/stat), against pid reuse; '' where unknown. */
  readonly startTime: string;
  readonly version: string;
  /** Commit of the checkout it was started from; absent for an installed package. */
  readonly commit?: string;
  /** Temporal's frontend: `unix:<socket>` where it has a network of its own, else `127.0.0.1:<port>`. */
  readonly temporal: string;
  /** Why every user of this machine can reach Temporal; absent when only this one can. */
  readonly exposed?: string;
  readonly namespace: string;
  /** `http://127.0.0.1:<port>` of the door to the Web UI, and of the codec; answers who opened it with the key, or has the token. */
  readonly webUi: string;
  /** Opens the Web UI: `<webUi>/open/<key>`. Absent where there is none. */
  readonly webUiKey?: string;
  /** `http://127.0.0.1:<port>` of the supervisor's control server; every call needs the bearer token of the `token` file. */
  readonly control: string;
  readonly queue: string;
  readonly host: string;
  /** Set once a run asked for the demo model. */
  readonly demo?: string;
  /** The other processes, so that whoever finds the supervisor dead can end exactly those. */
  readonly parts?: readonly (ProcessId & { readonly name: StackPart['name'] })[];
  /** Path of the token; filled in by whoever reads the file, for the folder may be mounted elsewhere there. */
  readonly tokenFile?: string;
  /** What the stack was started with, by variable, without secrets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** What to open in a browser; undefined where there is no Web UI. */
export const toWebUi = ({ webUi, webUiKey }: StackFile): string | undefined =>
  webUiKey === undefined ? undefined : `${webUi}/open/${webUiKey}`;

/** What a person should know of a Temporal that others can reach. */
export const renderExposure = (reason: string): string =>
  `Note: every user of this machine can reach Temporal, for it has a port (${reason}). See docs/operations.md, "Who can reach the local stack".`;

/** One process of the stack, as `agent ps` shows it. */
export interface StackPart {
  readonly name: 'supervisor' | 'temporal' | 'worker' | 'mirror' | 'demo-model';
  readonly pid: number;
  readonly state: 'starting' | 'up' | 'restarting' | 'failed';
  readonly port?: number;
  readonly version?: string;
  /** Resident bytes; absent where the system does not tell. */
  readonly memoryBytes?: number;
  readonly restarts: number;
  /** RFC 3339. */
  readonly since: string;
  readonly log?: string;
  /** Why it is not up: its last exit and the last line it wrote. */
  readonly reason?: string;
}

/**
 * Control server, JSON in and out, POST with `Authorization: Bearer <token>`:
 * `/status` → StackStatus; `/key {baseUrl, apiKey}` → {} hands the worker the key for one model server (kept in memory only);
 * `/secrets {values: [{name, value}]}` → {} tells the worker what it must not write (in memory only, as well);
 * `/wait {seen}` → StackStart, as soon as it differs from what the caller has seen;
 * `/demo {}` → {baseUrl} starts the demo model server if needed; `/down {}` → {} stops every part, then the supervisor.
 */
export interface StackStatus {
  readonly stack: StackFile;
  readonly parts: readonly StackPart[];
}

/** How far the start has come. `serving`: Temporal answers; the worker may still be on its way. */
export interface StackStart {
  readonly state: 'starting' | 'serving' | 'failed' | 'stopping';
  /** Lines for the person who waits, from the one numbered `seen` on. */
  readonly progress: readonly string[];
  /** With `failed`: what to do about it, and the exit code that says so. */
  readonly problem?: { readonly message: string; readonly exitCode: number };
}
