#!/usr/bin/env node
// Plain JavaScript on purpose: a .ts entry file is stripped of its types before any cache can be switched on,
// which alone costs more than everything else `agent --help` does. From here on stripped files come from the cache.
// The cache is the user's own: in the shared temp folder someone else could put code into it.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
enableCompileCache(join(cache, 'dev-agent', 'compiled'));
await import('./main.ts');
