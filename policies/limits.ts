/** What one command line may use in the sandbox: all its processes together, unless it says otherwise. */
export interface SandboxLimits {
  /** Bytes of memory, shared pages counted once. Looked at ten times a second. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** Seconds of processor time of each process. */
  readonly cpuSeconds: number;
  /** Bytes of one file it writes. */
  readonly fileBytes: number;
  /** Files one process has open. */
  readonly openFiles: number;
  /** Bytes in each of `/tmp` and the home folder, which are in memory and gone with the process. */
  readonly tmpBytes: number;
  /** Bytes by which it may enlarge the workspace. Looked at ten times a second. */
  readonly growthBytes: number;
}

/** Where `sandbox` of tools.yaml says nothing else. */
export const usualLimits: SandboxLimits = {
  memoryBytes: 4_294_967_296,
  processes: 512,
  cpuSeconds: 7_200,
  fileBytes: 1_073_741_824,
  openFiles: 1_024,
  tmpBytes: 268_435_456,
  growthBytes: 4_294_967_296,
};
