/** Sandbox limits of one command line, for all its processes together unless noted. */
export interface SandboxLimits {
  /** Bytes of memory, shared pages counted once. Checked ten times a second. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** CPU seconds, per process. */
  readonly cpuSeconds: number;
  /** Maximum size of a written file, in bytes. */
  readonly fileBytes: number;
  /** Open files, per process. */
  readonly openFiles: number;
  /** Bytes in `/tmp` and in the home folder, each. Both are in memory and vanish with the process. */
  readonly tmpBytes: number;
  /** Bytes by which it may grow the workspace. Checked ten times a second. */
  readonly growthBytes: number;
}

/** Defaults for `sandbox` in tools.yaml. */
export const usualLimits: SandboxLimits = {
  memoryBytes: 4_294_967_296,
  processes: 512,
  cpuSeconds: 7_200,
  fileBytes: 1_073_741_824,
  openFiles: 1_024,
  tmpBytes: 268_435_456,
  growthBytes: 4_294_967_296,
};
