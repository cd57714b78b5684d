/** What the local stack writes to `stack.json` and what its control port understands. */

/** `stack.json`: rewritten atomically (temp + rename) by the supervisor only. */
export interface StackFile {
  readonly v: 1;
  readonly pid: number;
  /** Start time of the supervisor in clock ticks since boot (field 22 of /proc/<pid>/stat), against pid reuse; '' where unknown. */
  readonly startTime: string;
  readonly version: string;
  /** `127.0.0.1:<port>` of Temporal's frontend. */
  readonly temporal: string;
  readonly namespace: string;
  /** `http://127.0.0.1:<port>`. */
  readonly webUi: string;
  /** `http://127.0.0.1:<port>` of the supervisor's control server; every call needs the bearer token of the `token` file. */
  readonly control: string;
  readonly queue: string;
  readonly host: string;
  /** Set once a run asked for the demo model. */
  readonly demo?: string;
}

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
}

/**
 * Control server, JSON in and out, POST with `Authorization: Bearer <token>`:
 * `/status` → StackStatus; `/key {baseUrl, apiKey}` → {} hands the worker the key for one model server (kept in memory only);
 * `/demo {}` → {baseUrl} starts the demo model server if needed; `/down {}` → {} stops every part, then the supervisor.
 */
export interface StackStatus {
  readonly stack: StackFile;
  readonly parts: readonly StackPart[];
}
