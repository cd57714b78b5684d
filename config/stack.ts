import type { ProcessId } from './process.ts';

/** The local stack's `stack.json` and control protocol. */

/** `stack.json`; only the supervisor writes it, atomically (temp + rename). */
export interface StackFile {
  readonly v: 1;
  readonly pid: number;
  /**
   * The supervisor's start time in clock ticks since boot (field 22 of /proc/<pid>/stat), against pid reuse; '' if
   * unknown.
   */
  readonly startTime: string;
  readonly version: string;
  /** Commit of the checkout it runs from; absent for an installed package. */
  readonly commit?: string;
  /** Temporal's frontend: `unix:<socket>` if it has its own network namespace, else `127.0.0.1:<port>`. */
  readonly temporal: string;
  /** Why every user of this machine can reach Temporal; absent if only this one can. */
  readonly exposed?: string;
  readonly namespace: string;
  /** `http://127.0.0.1:<port>` of the proxy for the Web UI and the codec; requires the key or the token. */
  readonly webUi: string;
  /** `<webUi>/open/<key>` opens the Web UI. Absent if there is none. */
  readonly webUiKey?: string;
  /** `http://127.0.0.1:<port>` of the control server; every call needs the bearer token in the `token` file. */
  readonly control: string;
  readonly queue: string;
  readonly host: string;
  /** Set once a run has asked for the demo model. */
  readonly demo?: string;
  /** The other processes, so that if the supervisor dies exactly these can be ended. */
  readonly parts?: readonly (ProcessId & { readonly name: StackPart['name'] })[];
  /** Path of the token, filled in by the reader, because the folder may be mounted elsewhere. */
  readonly tokenFile?: string;
  /** The variables the stack was started with, without secrets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The URL to open in a browser; undefined if there is no Web UI. */
export const toWebUi = ({ webUi, webUiKey }: StackFile): string | undefined =>
  webUiKey === undefined ? undefined : `${webUi}/open/${webUiKey}`;

/** Warns that others can reach Temporal. */
export const renderExposure = (reason: string): string =>
  `Note: every user of this machine can reach Temporal, for it has a port (${reason}). See docs/operations.md, "Who can reach the local stack".`;

/** One process of the stack, as `agent ps` shows it. */
export interface StackPart {
  readonly name: 'supervisor' | 'temporal' | 'worker' | 'mirror' | 'demo-model';
  readonly pid: number;
  readonly state: 'starting' | 'up' | 'restarting' | 'failed';
  readonly port?: number;
  readonly version?: string;
  /** Resident bytes; absent if the system does not tell. */
  readonly memoryBytes?: number;
  readonly restarts: number;
  /** RFC 3339. */
  readonly since: string;
  readonly log?: string;
  /** Why it is not up: its last exit and last line of output. */
  readonly reason?: string;
}

/**
 * Control server, JSON in and out, POST with `Authorization: Bearer <token>`: `/status` → StackStatus; `/key {baseUrl,
 * apiKey}` → {} gives the worker the key for one model server (in memory only); `/secrets {values: [{name, value}]}` →
 * {} tells the worker what to redact (in memory only); `/wait {seen}` → StackStart, once it differs from what the
 * caller has seen; `/demo {}` → {baseUrl} starts the demo model server if needed; `/down {}` → {} stops every part,
 * then the supervisor.
 */
export interface StackStatus {
  readonly stack: StackFile;
  readonly parts: readonly StackPart[];
}

/** Progress of the start. `serving`: Temporal answers, but the worker may not be up yet. */
export interface StackStart {
  readonly state: 'starting' | 'serving' | 'failed' | 'stopping';
  /** Lines for the person waiting, from line `seen` on. */
  readonly progress: readonly string[];
  /** Set with `failed`: what to do, and the exit code. */
  readonly problem?: { readonly message: string; readonly exitCode: number };
}
