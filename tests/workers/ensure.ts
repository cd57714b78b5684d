/** What a command does first: the stack of AGENT_STATE_DIR, started if need be, printed as JSON. */
import { ensureStack } from '../../client/stack/stack.ts';
import { readSettings } from '../../config/environment.ts';

process.stdout.write(JSON.stringify(await ensureStack(readSettings({ cwd: '/' }))));
