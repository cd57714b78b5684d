/** Starts the local stack's supervisor as a separate process. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensurePayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import { toEnvironment } from '../../config/environment.ts';
import { idleFlags } from '../../config/process.ts';
import type { Settings } from '../../config/environment.ts';
import type { StackFile } from '../../config/stack.ts';
import { ClientError } from '../errors.ts';
import { readStack, rewriteMs } from './file.ts';

/** How long to retry while another process has the folder but shows no stack. */
const appearMs = 4_000;

/** Starts a supervisor; resolves once it, or a faster one, shows its stack. @throws ClientError */
export async function startStack(settings: Settings): Promise<StackFile> {
  ensurePayloadKeys(settings);
  const deadline = Date.now() + appearMs;
  while (Date.now() < deadline) {
    const { child, end, lastWords } = spawnSupervisor(settings);
    while (end.at === undefined || (end.code === 0 && Date.now() < end.at + rewriteMs)) {
      const stack = readStack(settings);
      if (stack !== undefined) {
        child.unref();
        return stack;
      }
      await setTimeout(5);
    }
    // Exit 0: another supervisor has the folder. It showed up above, or it is leaving and we retry.
    if (end.code !== 0) {
      const log = join(settings.folders.logs, 'supervisor.log');
      throw new ClientError(
        `The local stack did not start: ${lastWords()}. See ${log}.`,
        end.code === 78 ? 'configuration' : 'unavailable',
      );
    }
  }
  throw new ClientError(
    `The state folder ${settings.folders.root} is in use by a supervisor that cannot be reached, perhaps in ` +
      'another container. Stop it there, or choose another folder with AGENT_STATE_DIR.',
    'busy',
  );
}

/** Variables the stack does not need and tools must never see. */
const isSecret = (name: string): boolean =>
  /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|^TEMPORAL_|^SSH_|^AGENT_WORKSPACE$/i.test(name);

interface Spawned {
  readonly child: ChildProcess;
  /** Filled in once it has ended. */
  readonly end: { at?: number; code?: number | null };
  readonly lastWords: () => string;
}

function spawnSupervisor(settings: Settings): Spawned {
  const { folders } = settings;
  const crashLog = join(folders.root, 'supervisor-crash.log');
  const inherited = Object.entries(process.env).filter(([name]) => !isSecret(name));
  const fd = openSync(crashLog, 'w', 0o600);
  const child = spawn(
    process.execPath,
    [...idleFlags, fileURLToPath(new URL('../../workers/stack/supervisor.ts', import.meta.url))],
    {
      // Its own session: closing the terminal or pressing Ctrl-C does not affect it.
      detached: true,
      cwd: folders.root,
      env: {
        ...Object.fromEntries(inherited),
        ...toEnvironment(settings),
        NODE_COMPILE_CACHE: join(settings.cacheDir, 'compiled'),
      },
      stdio: ['ignore', fd, fd],
    },
  );
  closeSync(fd);
  const end: Spawned['end'] = {};
  child.once('exit', (code) => Object.assign(end, { at: Date.now(), code }));
  child.once('error', () => Object.assign(end, { at: Date.now(), code: null }));
  const lastWords = (): string => {
    const lines = readFileSync(crashLog, 'utf8').split('\n');
    return lines.find((line) => /Error\b/.test(line)) ?? lines[0] ?? 'it said nothing';
  };
  return { child, end, lastWords };
}
