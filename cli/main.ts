#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// The user's own folder, as in agent.js: in the shared temp folder someone else could put code into the cache.
enableCompileCache(
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'dev-agent', 'compiled'),
);
const { runProgram } = await import('./program.ts');
process.exit(await runProgram(process.argv.slice(2)));
