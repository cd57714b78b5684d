#!/usr/bin/env node
// Plain JavaScript on purpose: a .ts entry file is stripped of its types before any cache can be switched on,
// which alone costs more than everything else `agent --help` does. From here on stripped files come from the cache.
// The cache is the user's own: in the shared temp folder someone else could put code into it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldest = [24, 12];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  nodeModule.enableCompileCache(join(cache, 'dev-agent', 'compiled'));
  await import('./main.ts');
} else {
  // Started by an older Node, as a linked `agent` is: `npm ci` brought the right one.
  const own = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (existsSync(own)) {
    const given = process.argv.slice(1);
    const { status, signal } = spawnSync(own, given, { stdio: 'inherit' });
    process.exit(status ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9));
  }
  process.stderr.write(
    `agent: Node.js 24.12 or newer is needed, this is ${process.versions.node}. Run npm ci in ${fileURLToPath(new URL('..', import.meta.url))}: it brings one.\n`,
  );
  process.exit(78);
}
